#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "net/chunk.h"

#define SPARE_MAX 8 /* unused slabs kept for the next read */

/* A slab (pool != NULL) or a copy. Whoever drops the last reference frees it. */
struct chunk {
	atomic_uint references;
	struct chunk_pool *pool;
	struct chunk *next_spare;
	unsigned char bytes[];
};

/*
 * The pool lives until its loop has freed it and its last slab has come back: `users` counts the
 * loop and every slab outside of `spare`.
 */
struct chunk_pool {
	size_t slab_size;
	pthread_mutex_t lock; /* over spare, spare_count, users */
	struct chunk *spare;  /* last in, first out: the one most likely still in the cache */
	unsigned spare_count;
	size_t users;
	atomic_size_t slabs;   /* in use: what chunk_pool_held() tells without the lock */
	struct chunk *current; /* the loop's: read into next; holds one reference of its own */
	size_t used;	       /* bytes of it that slices were made of */
};

struct chunk_pool *
chunk_pool_new(size_t slab_size)
{
	struct chunk_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	pool->slab_size = slab_size;
	pthread_mutex_init(&pool->lock, NULL);
	pool->users = 1;
	return pool;
}

static void
pool_destroy(struct chunk_pool *pool)
{
	struct chunk *slab;

	while ((slab = pool->spare) != NULL) {
		pool->spare = slab->next_spare;
		free(slab);
	}
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

/* One user less; returns whether it was the last. */
static bool
pool_leave(struct chunk_pool *pool, struct chunk *slab)
{
	bool last, kept = false;

	pthread_mutex_lock(&pool->lock);
	last = --pool->users == 0;
	if (slab != NULL)
		atomic_fetch_sub_explicit(&pool->slabs, 1, memory_order_relaxed);
	if (slab != NULL && pool->spare_count < SPARE_MAX) {
		slab->next_spare = pool->spare;
		pool->spare = slab;
		pool->spare_count++;
		kept = true;
	}
	pthread_mutex_unlock(&pool->lock);
	if (slab != NULL && !kept)
		free(slab);
	return last;
}

static void
chunk_drop(struct chunk *chunk)
{
	struct chunk_pool *pool = chunk->pool;

	if (atomic_fetch_sub_explicit(&chunk->references, 1, memory_order_acq_rel) != 1)
		return;
	if (pool == NULL)
		free(chunk);
	else if (pool_leave(pool, chunk))
		pool_destroy(pool);
}

void
chunk_pool_free(struct chunk_pool *pool)
{
	if (pool == NULL)
		return;
	if (pool->current != NULL)
		chunk_drop(pool->current);
	if (pool_leave(pool, NULL))
		pool_destroy(pool);
}

static struct chunk *
pool_take(struct chunk_pool *pool)
{
	struct chunk *slab;

	pthread_mutex_lock(&pool->lock);
	pool->users++;
	slab = pool->spare;
	if (slab != NULL) {
		pool->spare = slab->next_spare;
		pool->spare_count--;
	}
	pthread_mutex_unlock(&pool->lock);
	if (slab == NULL) {
		slab = malloc(sizeof(*slab) + pool->slab_size);
		if (slab == NULL) {
			pool_leave(pool, NULL);
			return NULL;
		}
	}
	atomic_fetch_add_explicit(&pool->slabs, 1, memory_order_relaxed);
	slab->pool = pool;
	atomic_init(&slab->references, 1);
	return slab;
}

unsigned char *
chunk_pool_space(struct chunk_pool *pool, size_t *size)
{
	/* A slab that nobody else refers to any more is as good as new. */
	if (pool->current != NULL && pool->used > 0 &&
	    atomic_load_explicit(&pool->current->references, memory_order_acquire) == 1)
		pool->used = 0;
	/* One with less than a quarter left is not read into any more. */
	if (pool->current == NULL || pool->slab_size - pool->used < pool->slab_size / 4) {
		struct chunk *fresh = pool_take(pool);

		if (fresh == NULL)
			return NULL;
		if (pool->current != NULL)
			chunk_drop(pool->current);
		pool->current = fresh;
		pool->used = 0;
	}
	*size = pool->slab_size - pool->used;
	return pool->current->bytes + pool->used;
}

struct slice
chunk_pool_slice(struct chunk_pool *pool, size_t size)
{
	struct slice slice = {pool->current, pool->current->bytes + pool->used, size};

	/* Small payloads are copied when kept, so their space can be read into again. */
	if (size > CHUNK_COPY_MAX)
		pool->used += size;
	return slice;
}

size_t
chunk_pool_held(struct chunk_pool *pool)
{
	return atomic_load_explicit(&pool->slabs, memory_order_relaxed) * pool->slab_size;
}

struct slice
slice_copy(const void *data, size_t size)
{
	struct slice copy = {.size = size};

	copy.chunk = malloc(sizeof(*copy.chunk) + size);
	if (copy.chunk == NULL)
		return copy;
	atomic_init(&copy.chunk->references, 1);
	copy.chunk->pool = NULL;
	memcpy(copy.chunk->bytes, data, size);
	copy.data = copy.chunk->bytes;
	return copy;
}

struct slice
slice_keep(const struct slice *slice, size_t copy_max)
{
	if (slice->size <= CHUNK_COPY_MAX || slice->size <= copy_max)
		return slice_copy(slice->data, slice->size);
	atomic_fetch_add_explicit(&slice->chunk->references, 1, memory_order_relaxed);
	return *slice;
}

struct slice
slice_again(const struct slice *kept)
{
	atomic_fetch_add_explicit(&kept->chunk->references, 1, memory_order_relaxed);
	return *kept;
}

size_t
slice_held(const struct slice *slice)
{
	return slice->size + (slice->chunk->pool == NULL ? sizeof(struct chunk) : 0);
}

void
slice_drop(struct slice *slice)
{
	if (slice->chunk != NULL)
		chunk_drop(slice->chunk);
	slice->chunk = NULL;
}
