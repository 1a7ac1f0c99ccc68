#include <pthread.h>
#include <string.h>

#include "net/chunk.h"
#include "tests/unit/test.h"

/* Fill `size` bytes of space with `byte` and take hold of them. */
static struct slice
receive(struct chunk_pool *pool, size_t size, int byte, size_t copy_max)
{
	size_t room;
	unsigned char *space = chunk_pool_space(pool, &room);
	struct slice lent;

	EXPECT(space != NULL && room >= size && room >= CHUNK_SLAB_SIZE / 4);
	memset(space, byte, size);
	lent = chunk_pool_slice(pool, size);
	return slice_keep(&lent, copy_max);
}

static void
expect_bytes(const struct slice *slice, size_t size, int byte)
{
	EXPECT(slice->size == size);
	for (size_t i = 0; i < size; i++)
		EXPECT(slice->data[i] == byte);
}

/* What is kept must survive whatever is received after it. */
static void
test_kept_bytes_stay(void)
{
	static const size_t sizes[] = {
	    1, 20, 2048, 2049, 40000, 65536, 3, 65536, 65536, 65536, 100};
	struct chunk_pool *pool = chunk_pool_new(CHUNK_SLAB_SIZE);
	struct slice kept[11];

	for (int i = 0; i < 11; i++)
		kept[i] = receive(pool, sizes[i], 'a' + i, CHUNK_COPY_MAX);
	for (int i = 0; i < 11; i++)
		expect_bytes(&kept[i], sizes[i], 'a' + i);
	chunk_pool_free(pool); /* before its slices: they keep it alive */
	for (int i = 0; i < 11; i++) {
		expect_bytes(&kept[i], sizes[i], 'a' + i);
		slice_drop(&kept[i]);
		slice_drop(&kept[i]); /* a second time is harmless */
	}
}

static void
test_small_never_pins_a_slab(void)
{
	struct chunk_pool *pool = chunk_pool_new(CHUNK_SLAB_SIZE);
	struct slice kept[1000];

	for (int i = 0; i < 1000; i++)
		kept[i] = receive(pool, CHUNK_COPY_MAX, i & 0xff, CHUNK_COPY_MAX);
	EXPECT(chunk_pool_held(pool) == CHUNK_SLAB_SIZE);
	for (int i = 0; i < 1000; i++) {
		expect_bytes(&kept[i], CHUNK_COPY_MAX, i & 0xff);
		slice_drop(&kept[i]);
	}
	chunk_pool_free(pool);
}

static void
test_slabs_come_back(void)
{
	struct chunk_pool *pool = chunk_pool_new(CHUNK_SLAB_SIZE);

	for (int i = 0; i < 1000; i++) {
		struct slice kept = receive(pool, CHUNK_SLAB_SIZE / 4, i & 0xff, CHUNK_COPY_MAX);

		slice_drop(&kept);
	}
	EXPECT(chunk_pool_held(pool) <= 2 * CHUNK_SLAB_SIZE);
	chunk_pool_free(pool);
}

static void
test_copy_limit_of_the_holder(void)
{
	struct chunk_pool *pool = chunk_pool_new(CHUNK_SLAB_SIZE);
	struct slice copy = receive(pool, 30000, 'x', 32768), reference;

	EXPECT(slice_held(&copy) > 30000);
	reference = receive(pool, 40000, 'y', 32768);
	EXPECT(slice_held(&reference) == 40000);
	slice_drop(&copy);
	slice_drop(&reference);
	chunk_pool_free(pool);
}

static void *
drop_all(void *argument)
{
	struct slice *slices = argument;

	for (int i = 0; i < 200; i++)
		slice_drop(&slices[i]);
	return NULL;
}

/* Another thread drops while the loop goes on reading, as the log writer does. */
static void
test_dropping_from_another_thread(void)
{
	static struct slice slices[2][200];
	struct chunk_pool *pool = chunk_pool_new(CHUNK_SLAB_SIZE);
	pthread_t thread;

	for (int i = 0; i < 200; i++) {
		slices[0][i] = receive(pool, 50000, i & 0xff, CHUNK_COPY_MAX);
		slices[1][i] = receive(pool, 50000, i & 0xff, CHUNK_COPY_MAX);
	}
	EXPECT(pthread_create(&thread, NULL, drop_all, slices[0]) == 0);
	for (int i = 0; i < 200; i++) {
		struct slice kept = receive(pool, 50000, 'z', CHUNK_COPY_MAX);

		expect_bytes(&slices[1][i], 50000, i & 0xff);
		slice_drop(&slices[1][i]);
		slice_drop(&kept);
	}
	pthread_join(thread, NULL);
	chunk_pool_free(pool);
}

int
main(void)
{
	test_kept_bytes_stay();
	test_small_never_pins_a_slab();
	test_slabs_come_back();
	test_copy_limit_of_the_holder();
	test_dropping_from_another_thread();
	puts("ok chunk_test");
	return 0;
}
