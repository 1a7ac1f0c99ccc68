/* Capture files block by block, as draft-ietf-opsawg-pcapng and -pcap have them. */
#include "format/capture_write.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "tests/unit/test.h"

static unsigned char memory[1 << 16];
static struct capture_writer writer;

static int
no_room(struct capture_writer *full, size_t need)
{
	(void)full;
	(void)need;
	errno = ENOBUFS;
	return -1;
}

static void
begin(enum capture_format format)
{
	memset(memory, 0xaa, sizeof(memory));
	writer = (struct capture_writer){
	    .format = format, .at = memory, .end = memory + sizeof(memory), .make_room = no_room};
}

static uint32_t
word(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* The option `code` of the options at `at`, `*size` its size; NULL if there is none. */
static const unsigned char *
option(const unsigned char *at, unsigned code, size_t *size)
{
	for (;; at += 4 + ((word(at) >> 16) + 3) / 4 * 4) {
		*size = word(at) >> 16;
		if ((word(at) & 0xffff) == code)
			return at + 4;
		if ((word(at) & 0xffff) == 0)
			return NULL;
	}
}

static bool
has_text(const unsigned char *options, unsigned code, const char *text)
{
	size_t size;
	const unsigned char *found = option(options, code, &size);

	return found != NULL && size == strlen(text) && memcmp(found, text, size) == 0;
}

/* A block's end, its two lengths compared. */
static const unsigned char *
block_end(const unsigned char *block, uint32_t type)
{
	uint32_t length = word(block + 4);

	EXPECT(word(block) == type && length % 4 == 0);
	EXPECT(word(block + length - 4) == length);
	return block + length;
}

static void
packet_put(const char *bytes, int64_t time, const char *comment)
{
	unsigned char *at = capture_packet_begin(&writer, strlen(bytes));

	EXPECT(at != NULL);
	memcpy(at, bytes, strlen(bytes));
	capture_packet_end(&writer, strlen(bytes), time, comment);
}

static void
test_pcapng(void)
{
	const unsigned char *block = memory;
	size_t size;

	begin(CAPTURE_PCAPNG);
	EXPECT(capture_begin(&writer, "program 1", "what it holds") == 0);
	EXPECT(word(block + 8) == 0x1a2b3c4d && word(block + 12) == 1);
	EXPECT(word(block + 16) == UINT32_MAX && word(block + 20) == UINT32_MAX);
	EXPECT(has_text(block + 24, 1, "what it holds") && has_text(block + 24, 4, "program 1"));
	block = block_end(block, 0x0a0d0d0a);
	EXPECT(word(block + 8) == 101);
	EXPECT(*option(block + 16, 9, &size) == 9 && size == 1);
	block = block_end(block, 1);
	EXPECT(block == writer.at);

	EXPECT(capture_name(&writer, (const unsigned char *)"\1\2\3\4", 4, "name") == 0);
	EXPECT(word(block + 8) == (9u << 16 | 1));
	EXPECT(memcmp(block + 12, "\1\2\3\4name\0\0\0\0\0\0\0", 16) == 0);
	block = block_end(block, 4);

	packet_put("12345", INT64_C(0x123456789abcdef), "comment");
	EXPECT(word(block + 8) == 0 && word(block + 12) == 0x1234567);
	EXPECT(word(block + 16) == 0x89abcdef && word(block + 20) == 5 && word(block + 24) == 5);
	EXPECT(memcmp(block + 28, "12345\0\0\0", 8) == 0);
	EXPECT(has_text(block + 36, 1, "comment"));
	block = block_end(block, 6);
	packet_put("1234", -5, NULL);
	EXPECT(word(block + 12) == 0 && word(block + 16) == 0 && word(block + 4) == 36);
	EXPECT(block_end(block, 6) == writer.at);
}

static void
test_pcap(void)
{
	begin(CAPTURE_PCAP);
	EXPECT(capture_begin(&writer, "program", "comment") == 0);
	EXPECT(writer.at == memory + 24);
	EXPECT(word(memory) == 0xa1b2c3d4 && word(memory + 4) == (4u << 16 | 2));
	EXPECT(word(memory + 20) == 101);
	EXPECT(capture_name(&writer, (const unsigned char *)"\1\2\3\4", 4, "name") == 0);
	packet_put("12345", INT64_C(1795230121123456789), "comment");
	EXPECT(word(memory + 24) == 1795230121 && word(memory + 28) == 123456);
	EXPECT(word(memory + 32) == 5 && word(memory + 36) == 5);
	EXPECT(memcmp(memory + 40, "12345", 5) == 0 && writer.at == memory + 45);
}

/* Long texts are cut, but never inside a character; they fit the room that was promised. */
static void
test_long_texts(void)
{
	char text[3 * CAPTURE_COMMENT_MAX + 1];
	const unsigned char *found;
	unsigned char *before;
	size_t size;

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = "\xe2\x82\xac"[i % 3];
	text[sizeof(text) - 1] = '\0';
	begin(CAPTURE_PCAPNG);
	EXPECT(capture_begin(&writer, "program", text) == 0);
	found = option(memory + 24, 1, &size);
	EXPECT(size == CAPTURE_COMMENT_MAX - CAPTURE_COMMENT_MAX % 3);
	EXPECT(memcmp(found, text, size) == 0);
	before = writer.at;
	packet_put("123", 0, text);
	EXPECT((size_t)(writer.at - before) <= 3 + CAPTURE_OVERHEAD);
	before = writer.at;
	EXPECT(capture_name(&writer, (const unsigned char *)text, 16, text) == 0);
	EXPECT((size_t)(writer.at - before) <= CAPTURE_OVERHEAD);
	writer.end = writer.at + 100;
	EXPECT(capture_packet_begin(&writer, 10) == NULL && errno == ENOBUFS);
	EXPECT(capture_name(&writer, (const unsigned char *)text, 16, text) == -1);
	EXPECT(capture_begin(&writer, "program", NULL) == -1);
}

static void
test_file(void)
{
	struct capture_file *file;
	char name[] = "/tmp/capture_write_test.XXXXXX";
	int fd = mkstemp(name), pipes[2];

	EXPECT(fd >= 0 && unlink(name) == 0);
	file = capture_file_new(fd, CAPTURE_PCAP);
	EXPECT(file != NULL);
	EXPECT(capture_begin(capture_file_writer(file), "program", NULL) == 0);
	for (int i = 0; i < 1000; i++) {
		EXPECT(capture_packet_begin(capture_file_writer(file), 1000) != NULL);
		capture_packet_end(capture_file_writer(file), 1000, i, NULL);
	}
	EXPECT(lseek(fd, 0, SEEK_END) < 24 + 1000 * 1016);
	EXPECT(capture_file_flush(file) == 0);
	EXPECT(lseek(fd, 0, SEEK_END) == 24 + 1000 * 1016);
	EXPECT(capture_packet_begin(capture_file_writer(file), 1 << 20) == NULL);
	EXPECT(errno == EMSGSIZE);
	capture_file_free(file);
	close(fd);

	signal(SIGPIPE, SIG_IGN);
	EXPECT(pipe(pipes) == 0);
	close(pipes[0]);
	file = capture_file_new(pipes[1], CAPTURE_PCAPNG);
	EXPECT(file != NULL && capture_begin(capture_file_writer(file), "program", NULL) == 0);
	EXPECT(capture_file_flush(file) == -1 && errno == EPIPE);
	capture_file_free(file);
	capture_file_free(NULL);
	close(pipes[1]);
}

int
main(void)
{
	test_pcapng();
	test_pcap();
	test_long_texts();
	test_file();
	puts("ok capture_write_test");
	return 0;
}
