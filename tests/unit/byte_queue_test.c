/* The ring between the loop and a thread: bytes in order, bounds, both ends of it at work. */
#include "net/byte_queue.h"

#include "net/thread.h"

#include "tests/unit/test.h"

#define SIZE 1000
#define TOTAL 3000000

static struct byte_queue queue;

static unsigned char
byte_at(uint64_t position)
{
	return (unsigned char)(position * 37 + position / 253);
}

static void
test_bounds(void)
{
	const unsigned char *bytes;
	unsigned char *room;
	size_t size;

	EXPECT(byte_queue_init(&queue, SIZE) == 0);
	EXPECT(byte_queue_reserve(&queue, SIZE + 1) == NULL);
	room = byte_queue_reserve(&queue, SIZE);
	EXPECT(room != NULL);
	memset(room, 'a', 600);
	byte_queue_add(&queue, 600);
	/* 400 bytes are free, and no more until some are given back */
	EXPECT(byte_queue_reserve(&queue, 401) == NULL);
	EXPECT(byte_queue_reserve(&queue, 400) != NULL);
	byte_queue_commit(&queue);
	bytes = byte_queue_take(&queue, &size);
	EXPECT(bytes == room && size == 600);
	byte_queue_give(&queue, 500);
	/* what does not fit behind goes to the front; the place between is passed over */
	room = byte_queue_reserve(&queue, 450);
	EXPECT(room == queue.bytes);
	memset(room, 'b', 450);
	byte_queue_add(&queue, 450);
	EXPECT(byte_queue_reserve(&queue, 60) == NULL && byte_queue_reserve(&queue, 50) != NULL);
	byte_queue_commit(&queue);
	EXPECT(byte_queue_take(&queue, &size) == bytes + 500 && size == 100);
	byte_queue_give(&queue, 100);
	EXPECT(byte_queue_take(&queue, &size) == queue.bytes && size == 450);
	byte_queue_give(&queue, 450);
	EXPECT(byte_queue_reserve(&queue, SIZE) == queue.bytes);
	byte_queue_stop(&queue);
	EXPECT(byte_queue_take(&queue, &size) == NULL);
	EXPECT(!byte_queue_ended(&queue, thread_clock() + 1000000));
	byte_queue_end(&queue);
	EXPECT(byte_queue_ended(&queue, thread_clock()));
	byte_queue_release(&queue);
}

static void *
consume(void *argument)
{
	const unsigned char *bytes;
	uint64_t *got = argument;
	size_t size;
	unsigned seed = 7;

	while ((bytes = byte_queue_take(&queue, &size)) != NULL) {
		size_t some = 1 + (size_t)rand_r(&seed) % size;
		for (size_t i = 0; i < some; i++)
			EXPECT(bytes[i] == byte_at(*got + i));
		*got += some;
		byte_queue_give(&queue, some);
	}
	byte_queue_end(&queue);
	return NULL;
}

static void
test_threads(void)
{
	uint64_t put = 0, got = 0;
	unsigned seed = 3;
	pthread_t thread;

	EXPECT(byte_queue_init(&queue, SIZE) == 0);
	EXPECT(thread_start(&thread, consume, &got) == 0);
	while (put < TOTAL) {
		size_t need = 1 + (size_t)rand_r(&seed) % 300, used = need - need / 3;
		unsigned char *room = byte_queue_reserve(&queue, need);
		if (room == NULL) {
			byte_queue_commit(&queue);
			continue;
		}
		for (size_t i = 0; i < used; i++)
			room[i] = byte_at(put + i);
		put += used;
		byte_queue_add(&queue, used);
		if (rand_r(&seed) % 3 == 0)
			byte_queue_commit(&queue);
	}
	byte_queue_stop(&queue);
	while (!byte_queue_ended(&queue, thread_clock() + 1000000000))
		;
	EXPECT(pthread_join(thread, NULL) == 0);
	EXPECT(got == put && byte_queue_progress(&queue) >= put);
	byte_queue_release(&queue);
}

int
main(void)
{
	test_bounds();
	test_threads();
	puts("ok byte_queue_test");
	return 0;
}
