/* A ring of bytes between a loop that must never wait and one thread that may: of fixed size,
 * memory is touched only as far as it fills. */
#ifndef NET_BYTE_QUEUE_H
#define NET_BYTE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Positions count on for ever; a byte's place is its position modulo `size`. What was reserved is
 * in one piece, so bytes before the end of the ring may be passed over: the gap. There is never
 * more than one between tail and head.
 */
struct byte_queue {
	unsigned char *bytes;
	size_t size;
	uint64_t head;	       /* the producer's: behind what was added */
	pthread_mutex_t mutex; /* over all below */
	pthread_cond_t wanted; /* something was committed, or stopping */
	pthread_cond_t ended;
	uint64_t committed; /* behind what the consumer may see */
	uint64_t tail;	    /* of what it has not given back */
	uint64_t gap;	    /* where a gap begins that reaches to the end of the ring */
	bool waiting;	    /* the consumer is */
	bool stopping;
	bool done;
};

/* Returns 0, or -1 with errno. */
int byte_queue_init(struct byte_queue *queue, size_t size);
void byte_queue_release(struct byte_queue *queue);

/* The producer: room for `need` bytes in one piece, NULL if there is none now. */
unsigned char *byte_queue_reserve(struct byte_queue *queue, size_t need);

/* The producer: the first `size` bytes of that room are to be kept. */
void byte_queue_add(struct byte_queue *queue, size_t size);

/* The producer: have the consumer see what was added. */
void byte_queue_commit(struct byte_queue *queue);

/* The producer: have the consumer end when all is taken; wait for byte_queue_end() until `due`
 * (thread_clock()), false if it has not come. */
void byte_queue_stop(struct byte_queue *queue);
bool byte_queue_ended(struct byte_queue *queue, int64_t due);

/* How many bytes were given back in all: does the consumer make progress? */
uint64_t byte_queue_progress(struct byte_queue *queue);

/* The consumer: wait for bytes and return them, `*size` in one piece; NULL when stopped and empty.
 * byte_queue_give() lets go of the first `size` of them. */
const unsigned char *byte_queue_take(struct byte_queue *queue, size_t *size);
void byte_queue_give(struct byte_queue *queue, size_t size);

/* The consumer: nothing more will be taken. */
void byte_queue_end(struct byte_queue *queue);

#endif
