/*
 * Where received bytes live: slabs shared by reference counting, and small copies.
 *
 * A loop reads into its current slab. What it read is lent to observers and the sending side as a
 * slice; who wants to hold on to it takes slice_keep(), who is done gives slice_drop(). Slices may
 * be dropped by any thread; a pool's other functions belong to the loop's thread.
 */
#ifndef NET_CHUNK_H
#define NET_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_SLAB_SIZE (1024 * 1024)
#define CHUNK_BULK_SIZE (4 * CHUNK_SLAB_SIZE) /* for what comes in bulk */
#define CHUNK_COPY_MAX                                                                             \
	2048 /* payloads up to this are copied when kept, so that they never pin a slab */
/* The same for what waits to be sent: a remainder that is not copied pins at most eight times its
 * size, or 32 times of a slab of bulk. */
#define CHUNK_WAIT_MAX (CHUNK_SLAB_SIZE / 8)

struct chunk;
struct chunk_pool;

struct slice {
	struct chunk *chunk;
	const unsigned char *data;
	size_t size;
};

/* A pool that hands out slabs of `slab_size` bytes; returns NULL with errno. It may be freed before
 * its last slice is dropped. */
struct chunk_pool *chunk_pool_new(size_t slab_size);
void chunk_pool_free(struct chunk_pool *pool);

/*
 * The free space to read into next, of which `*size` is set (at least a quarter of a slab).
 * Returns NULL with errno ENOMEM.
 */
unsigned char *chunk_pool_space(struct chunk_pool *pool, size_t *size);

/* The first `size` bytes of that space as a slice; it is lent until the next chunk_pool_space(). */
struct slice chunk_pool_slice(struct chunk_pool *pool, size_t size);

/* Memory held by slabs in use, in bytes: what the limits on queues count. */
size_t chunk_pool_held(struct chunk_pool *pool);

/*
 * Take hold of a lent slice: a copy if it is small (at most `copy_max`, usually CHUNK_COPY_MAX),
 * else a reference. Returns a slice to be dropped, or one with chunk == NULL on ENOMEM.
 */
struct slice slice_keep(const struct slice *slice, size_t copy_max);

/* A copy of bytes from elsewhere, kept: to be dropped; chunk == NULL on ENOMEM. */
struct slice slice_copy(const void *data, size_t size);

/* One more hold of a kept slice, to be dropped for itself. */
struct slice slice_again(const struct slice *kept);

/* Memory that a kept slice accounts for: its share of a slab, or its copy. */
size_t slice_held(const struct slice *slice);

/* Let go of a kept slice. Any thread. */
void slice_drop(struct slice *slice);

#endif
