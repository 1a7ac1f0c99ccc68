/* What the user asked for. */
#ifndef NETMIRROR_SETTINGS_H
#define NETMIRROR_SETTINGS_H

#include "net/front.h"
#include "netmirror/config.h"

struct settings {
	struct front_settings front;
	const char *file;     /* -f; NULL: the command line names the proxy */
	struct config config; /* names are not resolved yet */
	uint64_t queue;	      /* --queue */
	double sample;	      /* --sample, as a share: 0 to 1 */
};

/* Read the command line. Ends the process with status 2 (0 for --help) where it cannot be followed.
 */
void settings_parse(struct settings *settings, int argc, char **argv);
void settings_release(struct settings *settings);

#endif
