/* What root.c and writer.c know of a root. Private to them. */
#ifndef FORMAT_ROOT_H
#define FORMAT_ROOT_H

#include <sys/uio.h>

#include "format/member.h"
#include "format/writer.h"

#define ROOT_VECTORS 512      /* pieces of one writev() */
#define ROOT_STAGE_SIZE 65536 /* headers and small payloads are put together here */
#define ROOT_SUFFIX_MAX 64    /* "_7.2.gz": what stands behind the base */
#define ROOT_NAME_MAX                                                                              \
	(255 + ROOT_SUFFIX_MAX) /* a file's name as it may be built; the kernel refuses the        \
				   longest */

struct log_root {
	int directory; /* opened once, so that a relative root survives chdir(2) */
	char *prefix;  /* the directory as the user wrote it, with its slash; may be "" */
	char *base;    /* what the names of all files begin with */
	uint64_t next; /* the lowest number that may be free */
	uint64_t rotate_size;
	void (*part_done)(void *context, const char *path, uint64_t size);
	void *context;
	bool gzip;
	struct member member; /* if gzip */
	struct iovec vectors[ROOT_VECTORS];
	char stage[ROOT_STAGE_SIZE];
};

/* As log_root_name(), of either kind. */
char *root_name(
    const struct log_root *root, uint64_t n, unsigned part, bool gzip, char *buffer, size_t size);

#endif
