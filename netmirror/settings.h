/* What the user asked for. */
#ifndef NETMIRROR_SETTINGS_H
#define NETMIRROR_SETTINGS_H

#include "format/mask.h"
#include "format/report.h"
#include "net/front.h"
#include "netmirror/config.h"

#define SETTINGS_INTERFACE_MAX 16

enum compare_mode { COMPARE_NONE, COMPARE_BYTES, COMPARE_SIZE };

struct settings {
	struct front_settings front;
	const char *file;     /* -f; NULL: the command line names the proxy */
	struct config config; /* names are not resolved yet */
	bool capture;	      /* --capture; the rest is for it */
	uint16_t port;
	char *interfaces[SETTINGS_INTERFACE_MAX];
	size_t interface_count;
	const char *filter; /* -F */
	const char *read;   /* -R */
	uint64_t buffer;    /* --buffer */
	uint64_t queue;	    /* --queue */
	double sample;	    /* --sample, as a share: 0 to 1 */
	enum compare_mode compare;
	struct mask_set masks;	   /* -i and -I */
	enum report_format output; /* -o */
	bool has_output;
};

/* Read the command line. Ends the process with status 2 (0 for --help) where it cannot be followed.
 */
void settings_parse(struct settings *settings, int argc, char **argv);
void settings_release(struct settings *settings);

#endif
