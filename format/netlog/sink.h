/* A file being written, plain or gzip, piece by piece: unlike format/writer.h it never wants a
 * whole record in memory. */
#ifndef FORMAT_NETLOG_SINK_H
#define FORMAT_NETLOG_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "format/record.h"

struct sink;

/* A sink that writes to `fd`, which it owns from now on (also when this fails). Returns NULL with
 * errno. */
struct sink *sink_new(int fd, bool gzip);

/* Write; return 0, or -1 with errno. */
int sink_write(struct sink *sink, const void *data, size_t size);
int sink_record(struct sink *sink, const struct record *record); /* the header alone */

/* Write out what is buffered and close. Returns 0, or -1 with errno; NULL is harmless. */
int sink_free(struct sink *sink);

#endif
