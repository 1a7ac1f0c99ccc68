/* --capture: connections reassembled from packets are mirrored as if they passed through a proxy.
 */
#ifndef NETMIRROR_CAPTURE_H
#define NETMIRROR_CAPTURE_H

#include "netmirror/site.h"

struct capture_config {
	struct site_common *common;
	struct site *site; /* whose observers get what clients send; lent */
	uint16_t port;	   /* of the servers */
	char *const *interfaces;
	size_t interface_count; /* 0: all */
	const char *filter;	/* -F: which packets, beside the port; NULL: to and from this
				   machine's own addresses */
	const char *file;	/* -R: a capture file instead of interfaces; NULL: none */
	size_t buffer;		/* of the kernel, for an interface */
	bool answers;		/* what servers send matters too */
	size_t connections;	/* at most so many at once */
	int64_t idle_timeout;	/* nanoseconds; 0: none */
	/* All of the file is mirrored. */
	void (*finished)(void *context);
	void *context;
};

struct mirror_capture;

/* Begin to capture. Returns NULL after telling the user why. */
struct mirror_capture *mirror_capture_new(const struct capture_config *config);

/* Connections that are mirrored now. */
size_t mirror_capture_count(const struct mirror_capture *capture);

/* Was the capture file damaged, so that what follows in it is not mirrored? */
bool mirror_capture_damaged(const struct mirror_capture *capture);

/* No more connections are taken; those that are there go on. */
void mirror_capture_drain(struct mirror_capture *capture);

/* End all of them. */
void mirror_capture_stop(struct mirror_capture *capture);

/* Have the counters brought up to date, and packets that the kernel has dropped told. */
void mirror_capture_measure(struct mirror_capture *capture);

/* NULL is harmless. */
void mirror_capture_free(struct mirror_capture *capture);

#endif
