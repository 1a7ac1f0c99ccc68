/* Reads capture files: pcap and pcapng, either byte order, micro- and nanoseconds, gzip or not.
 * Built without libpcap it reads classic ones (pcap) only, and says so of others. */
#ifndef FORMAT_CAPTURE_READ_H
#define FORMAT_CAPTURE_READ_H

#include <stddef.h>

#include "format/packet.h"
#include "format/source.h"

#define CAPTURE_ERROR_MAX 512

struct capture;

/* A capture file, or "-" for standard input. Returns NULL, and says why in `error` (without the
 * name, perhaps with bytes from the file). */
struct capture *capture_open(const char *path, char error[CAPTURE_ERROR_MAX]);

/* The same over `source`, which it owns from now on (also when this fails). */
struct capture *capture_from_source(struct source *source, char error[CAPTURE_ERROR_MAX]);
void capture_free(struct capture *capture);

/* Take only packets that match `expression`, pcap-filter(7); to be called before the first
 * capture_next(). Returns 0, or -1: capture_message(). */
int capture_filter(struct capture *capture, const char *expression);

/* The next packet, its bytes good until the next call. Returns 1, 0 at the end, or -1:
 * capture_message() says what is wrong. */
int capture_next(struct capture *capture, struct packet *packet);

/* What went wrong last: one line. */
const char *capture_message(struct capture *capture);

#endif
