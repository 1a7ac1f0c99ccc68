#include "format/capture_write.h"

#include <string.h>

#define BLOCK_SECTION 0x0a0d0d0a
#define BLOCK_INTERFACE 1
#define BLOCK_NAMES 4
#define BLOCK_PACKET 6
#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define PCAP_MAGIC 0xa1b2c3d4 /* microseconds: what every reader knows */
#define LINKTYPE_RAW 101
#define SNAPLEN 262144 /* what libpcap takes for "whole packets" */

enum option { OPTION_END = 0, OPTION_COMMENT = 1, OPTION_IF_NAME = 2, OPTION_APPLICATION = 4 };
#define OPTION_IF_TSRESOL 9

#define PACKET_HEADER 28 /* before the bytes of a pcapng packet */
#define RECORD_HEADER 16 /* the same in classic pcap */

/* -- the elements; the room for them is there -- */

static unsigned char *
put16(unsigned char *at, uint16_t value)
{
	memcpy(at, &value, sizeof(value));
	return at + sizeof(value);
}

static unsigned char *
put32(unsigned char *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
	return at + sizeof(value);
}

/* What is written comes in units of four bytes. */
static size_t
padded(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

static unsigned char *
put_padded(unsigned char *at, const void *data, size_t size)
{
	memset(at + size / 4 * 4, 0, padded(size) - size / 4 * 4);
	memcpy(at, data, size);
	return at + padded(size);
}

static unsigned char *
put_option(unsigned char *at, uint16_t code, const void *value, size_t size)
{
	at = put16(at, code);
	at = put16(at, (uint16_t)size);
	return put_padded(at, value, size);
}

/* How much of a text is written: never the half of a UTF-8 character. */
static size_t
text_length(const char *text)
{
	size_t length = strnlen(text, CAPTURE_COMMENT_MAX);

	if (length == CAPTURE_COMMENT_MAX)
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
	return length;
}

static unsigned char *
put_options_end(unsigned char *at)
{
	return put32(at, OPTION_END);
}

static unsigned char *
put_text(unsigned char *at, uint16_t code, const char *text)
{
	return text != NULL ? put_option(at, code, text, text_length(text)) : at;
}

/* A block begins with its type and ends with its length, which also stands behind the type. */
static unsigned char *
block_begin(unsigned char *block, uint32_t type)
{
	return put32(put32(block, type), 0);
}

static unsigned char *
block_end(unsigned char *block, unsigned char *at)
{
	uint32_t length = (uint32_t)(at - block) + 4;

	put32(block + 4, length);
	return put32(at, length);
}

static int
room(struct capture_writer *writer, size_t need)
{
	if ((size_t)(writer->end - writer->at) >= need)
		return 0;
	return writer->make_room(writer, need);
}

/* -- the beginning -- */

static unsigned char *
put_section(unsigned char *block, const char *program, const char *comment)
{
	unsigned char *at = block_begin(block, BLOCK_SECTION);

	at = put32(at, BYTE_ORDER_MAGIC);
	at = put16(put16(at, 1), 0);		       /* version 1.0 */
	at = put32(put32(at, UINT32_MAX), UINT32_MAX); /* its length is not known */
	at = put_text(at, OPTION_COMMENT, comment);
	at = put_text(at, OPTION_APPLICATION, program);
	return block_end(block, put_options_end(at));
}

static unsigned char *
put_interface(unsigned char *block, const char *program)
{
	static const unsigned char nanoseconds = 9;
	unsigned char *at = block_begin(block, BLOCK_INTERFACE);

	at = put16(put16(at, LINKTYPE_RAW), 0);
	at = put32(at, SNAPLEN);
	at = put_text(at, OPTION_IF_NAME, program);
	at = put_option(at, OPTION_IF_TSRESOL, &nanoseconds, 1);
	return block_end(block, put_options_end(at));
}

static unsigned char *
put_pcap_header(unsigned char *at)
{
	at = put32(at, PCAP_MAGIC);
	at = put16(put16(at, 2), 4); /* version 2.4 */
	at = put32(put32(at, 0), 0); /* time zone and accuracy: always 0 */
	return put32(put32(at, SNAPLEN), LINKTYPE_RAW);
}

int
capture_begin(struct capture_writer *writer, const char *program, const char *comment)
{
	if (room(writer, 4 * CAPTURE_OVERHEAD) != 0)
		return -1;
	if (writer->format == CAPTURE_PCAP)
		writer->at = put_pcap_header(writer->at);
	else
		writer->at = put_interface(put_section(writer->at, program, comment), program);
	return 0;
}

int
capture_name(
    struct capture_writer *writer, const unsigned char *address, size_t size, const char *name)
{
	size_t length = text_length(name);
	unsigned char record[16 + CAPTURE_COMMENT_MAX + 1];
	unsigned char *at;

	if (writer->format == CAPTURE_PCAP)
		return 0;
	if (room(writer, CAPTURE_OVERHEAD) != 0)
		return -1;
	memcpy(record, address, size);
	memcpy(record + size, name, length);
	record[size + length] = '\0';
	at = block_begin(writer->at, BLOCK_NAMES);
	/* the type of a record is 1 for IPv4, 2 for IPv6; 0 ends them */
	at = put_option(at, size == 4 ? 1 : 2, record, size + length + 1);
	writer->at = block_end(writer->at, put_options_end(at));
	return 0;
}

/* -- packets -- */

unsigned char *
capture_packet_begin(struct capture_writer *writer, size_t most)
{
	if (room(writer, most + CAPTURE_OVERHEAD) != 0)
		return NULL;
	return writer->at + (writer->format == CAPTURE_PCAP ? RECORD_HEADER : PACKET_HEADER);
}

static void
record_finish(struct capture_writer *writer, uint32_t size, uint64_t time)
{
	unsigned char *at = writer->at;

	at = put32(at, (uint32_t)(time / 1000000000));
	at = put32(at, (uint32_t)(time % 1000000000 / 1000));
	at = put32(put32(at, size), size);
	writer->at = at + size;
}

static void
packet_finish(struct capture_writer *writer, uint32_t size, uint64_t time, const char *comment)
{
	unsigned char *at = block_begin(writer->at, BLOCK_PACKET);

	at = put32(at, 0); /* the one interface */
	at = put32(put32(at, (uint32_t)(time >> 32)), (uint32_t)time);
	at = put32(put32(at, size), size);
	memset(at + size, 0, padded(size) - size);
	at += padded(size);
	if (comment != NULL)
		at = put_options_end(put_text(at, OPTION_COMMENT, comment));
	writer->at = block_end(writer->at, at);
}

void
capture_packet_end(struct capture_writer *writer, size_t size, int64_t time, const char *comment)
{
	uint64_t since = time > 0 ? (uint64_t)time : 0;

	writer->last = time;
	if (writer->format == CAPTURE_PCAP)
		record_finish(writer, (uint32_t)size, since);
	else
		packet_finish(writer, (uint32_t)size, since, comment);
}
