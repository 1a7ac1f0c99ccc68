/*
 * Capture files as Wireshark and tcpdump read them, block by block into memory: pcapng
 * (draft-ietf-opsawg-pcapng, nanoseconds) or classic pcap (draft-ietf-opsawg-pcap, microseconds).
 * Packets begin with their IP header (LINKTYPE_RAW). Where the bytes go is the business of whoever
 * gives the room: capture_file_new() below, or a queue.
 */
#ifndef FORMAT_CAPTURE_WRITE_H
#define FORMAT_CAPTURE_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum capture_format { CAPTURE_PCAPNG, CAPTURE_PCAP };

#define CAPTURE_COMMENT_MAX 1024 /* longer comments and names are cut */

/* A packet takes at most this much more room than its bytes. */
#define CAPTURE_OVERHEAD (64 + CAPTURE_COMMENT_MAX)

struct capture_writer {
	enum capture_format format;
	unsigned char *at, *end; /* the room that is left */
	/* Make room for at least `need` bytes at `at`. Returns 0, or -1 with errno. */
	int (*make_room)(struct capture_writer *writer, size_t need);
	int64_t last; /* time of the last packet */
};

/* Write the file's beginning: `program` is who writes it, `comment` (UTF-8, may be NULL) what it
 * holds; classic pcap has room for neither. Returns 0, or -1 with errno. */
int capture_begin(struct capture_writer *writer, const char *program, const char *comment);

/* Name an address of 4 or 16 bytes (a name resolution block); nothing in classic pcap. Returns 0,
 * or -1 with errno. */
int capture_name(
    struct capture_writer *writer, const unsigned char *address, size_t size, const char *name);

/*
 * Begin a packet of at most `most` bytes: returns where its bytes go, or NULL with errno. Nothing
 * else may be written before capture_packet_end().
 */
unsigned char *capture_packet_begin(struct capture_writer *writer, size_t most);

/* The packet is `size` bytes, seen at `time` (nanoseconds since the epoch; what is earlier counts
 * as that); `comment` (UTF-8) may be NULL. */
void capture_packet_end(
    struct capture_writer *writer, size_t size, int64_t time, const char *comment);

/* A writer into a descriptor, buffered. Its capture_writer is what the functions above take. */
struct capture_file;

/* `fd` stays the caller's. Returns NULL with errno. */
struct capture_file *capture_file_new(int fd, enum capture_format format);
struct capture_writer *capture_file_writer(struct capture_file *file);

/* Write out what is buffered. Returns 0, or -1 with errno. */
int capture_file_flush(struct capture_file *file);

/* What is still buffered is dropped. NULL is harmless. */
void capture_file_free(struct capture_file *file);

#endif
