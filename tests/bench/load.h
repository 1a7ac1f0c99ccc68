/*
 * The load generators of the benchmark: a server that answers, clients that measure, a verifier of
 * logs. They share nothing with the programs that they measure.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * The protocol: the first byte a client sends tells what the connection is for.
 *   'U' and 15 hex digits of a size: that many bytes of the pattern follow; the server acknowledges
 * the last by one 'K' 'D' and 15 hex digits of a size: the server sends that many bytes of the
 * pattern 'R': a message of 64 bytes, answered by the same with an 'A' in front; any number of
 * times Always the client closes first, when it has received all, and the server when it sees that.
 */
#define BULK_HEADER_SIZE 16
#define MESSAGE_SIZE 64
#define BUFFER_SIZE (256 * 1024)
#define PATIENCE (10 * INT64_C(1000000000)) /* nanoseconds without progress that count as hung */

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t clock_now(void);

/* Pseudo-random bytes of a stream from `offset` on, of which BUFFER_SIZE follow one another. They
 * repeat after a prime number of bytes. */
const unsigned char *pattern_at(uint64_t offset);

void bulk_header_make(char header[BULK_HEADER_SIZE], char kind, uint64_t size);
/* Returns the size, or UINT64_MAX if this is no header. */
uint64_t bulk_header_parse(const char header[BULK_HEADER_SIZE]);

/* The message number `sequence` of client number `client`: "R <client> <sequence> ...\n". */
void message_make(char message[MESSAGE_SIZE], unsigned client, uint64_t sequence);

/* A connection to 127.0.0.1:`port`, TCP_NODELAY; exits with a message if that fails. */
int client_connect(const char *port, bool nonblocking);
/* Send one message on a blocking socket and check the answer; exits with a message if there is
 * none. */
void client_exchange(int fd, unsigned client, uint64_t sequence);

/* Response times, of which percentiles are wanted. */
struct samples {
	uint32_t *values; /* nanoseconds, at most 4.2 s */
	size_t count, room;
};
void samples_add(struct samples *samples, int64_t nanoseconds);
/* Sorts. `share` from 0 to 1. In nanoseconds, 0 if there are none. */
uint32_t samples_percentile(struct samples *samples, double share);
void samples_release(struct samples *samples);

/* Wait until the index file tells of `closed` closed connections; exits with a message if it takes
 * longer than PATIENCE. */
void index_wait(const char *path, unsigned closed);

/* Numbers from operands; exit with a message if they are none. */
uint64_t operand_size(const char *text);
unsigned operand_count(const char *text);

/* One file a mode; operands as in usage() of load.c. `index` may be NULL. */
int serve_main(char **operands, const char *index);
int bulk_main(char **operands, const char *index);
int request_main(char **operands, const char *index);
int connect_main(char **operands, const char *index);
int sleep_main(char **operands, const char *index);
int idle_main(char **operands, const char *index);
int send_main(char **operands, const char *index);
int rate_main(char **operands, const char *index);
int verify_main(char **operands, const char *index);

#endif
