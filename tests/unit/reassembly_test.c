/* Reassembly as its users configure it: what is told, in which order, within which bounds. */
#include <stdarg.h>

#include "format/reassembly.h"
#include "tests/unit/test.h"

#define SECOND ((int64_t)1000000000)

/* What was told, as one line: "open c:5 s:3 c:eof s:reset gap:s+10(4) end:2". */
static char told[4096];
static bool ignore; /* set the stream's flag at its first data */

static void
tell(const char *format, ...)
{
	size_t length = strlen(told);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(told + length, sizeof(told) - length, format, arguments);
	va_end(arguments);
}

static void
told_open(void *context, struct tcp_stream *stream, int64_t time)
{
	(void)context;
	(void)time;
	tell("open%s ", stream->begun ? "" : "?");
}

static void
told_data(void *context, struct tcp_stream *stream, enum side side, const uint8_t *data,
    size_t size, int64_t time)
{
	(void)context;
	(void)time;
	tell("%c:%.*s ", side_letter(side), (int)size, (const char *)data);
	stream->ignored = ignore;
}

static void
told_eof(void *context, struct tcp_stream *stream, enum side side, int64_t time)
{
	(void)context;
	(void)stream;
	(void)time;
	tell("%c:eof ", side_letter(side));
}

static void
told_reset(void *context, struct tcp_stream *stream, enum side side, int64_t time)
{
	(void)context;
	(void)stream;
	(void)time;
	tell("%c:reset ", side_letter(side));
}

static void
told_gap(void *context, struct tcp_stream *stream, enum side side, uint64_t offset, uint64_t size,
    int64_t time)
{
	(void)context;
	(void)stream;
	(void)time;
	tell("gap:%c+%u(%u) ", side_letter(side), (unsigned)offset, (unsigned)size);
}

static void
told_end(void *context, struct tcp_stream *stream, enum stream_end end, int64_t time)
{
	static const char *const names[] = {
	    "closed", "reset", "refused", "gap", "unfinished", "evicted"};

	(void)context;
	(void)time;
	tell("%s", names[end]);
	if (stream->lost > 0)
		tell("-%u", (unsigned)stream->lost);
	tell(";");
}

static const struct reassembly_ops ops = {
    told_open, told_data, told_eof, told_reset, told_gap, told_end};

static struct reassembly *reassembly;
static int64_t now;
static unsigned port; /* of the client */

static void
begin(struct reassembly_config config)
{
	config.ops = &ops;
	told[0] = '\0';
	now = SECOND;
	port = 4000;
	ignore = false;
	reassembly = reassembly_new(&config);
	EXPECT(reassembly != NULL);
}

/* A segment; sequence numbers count from each side's SYN, which is number 0. */
static void
add(char side, uint8_t flags, uint32_t seq, uint32_t ack, const char *text)
{
	struct packet_end client = {.address = {1}, .port = (uint16_t)port};
	struct packet_end server = {.address = {2}, .port = 80};
	struct packet_segment segment = {.from = side == 'c' ? client : server,
	    .to = side == 'c' ? server : client,
	    .flags = flags,
	    .seq = (side == 'c' ? 1000 : 4294967290u) + seq,
	    .ack = (side == 'c' ? 4294967290u : 1000) + ack,
	    .data = (const uint8_t *)text,
	    .size = strlen(text)};

	reassembly_add(reassembly, &segment, now += 1000);
}

static void
handshake(void)
{
	add('c', PACKET_SYN, 0, 0, "");
	add('s', PACKET_SYN | PACKET_ACK, 0, 1, "");
	add('c', PACKET_ACK, 1, 1, "");
}

static void
finish(const char *expected)
{
	reassembly_finish(reassembly);
	if (strcmp(told, expected) != 0)
		fprintf(stderr, "told:     %s\nexpected: %s\n", told, expected);
	EXPECT(strcmp(told, expected) == 0);
	reassembly_free(reassembly);
}

static void
test_whole(void)
{
	begin((struct reassembly_config){0});
	handshake();
	add('c', PACKET_ACK, 1, 1, "ask");
	add('s', PACKET_ACK, 1, 4, "answer");
	add('c', PACKET_ACK | PACKET_FIN, 4, 7, "");
	add('s', PACKET_ACK | PACKET_FIN, 7, 5, "");
	EXPECT(strstr(told, "closed") != NULL);
	add('c', PACKET_ACK, 5, 8, "");
	finish("open c:ask s:answer c:eof s:eof closed;");
}

/* An answer is told behind its request, whatever the capture says. */
static void
test_causes_come_first(void)
{
	begin((struct reassembly_config){0});
	handshake();
	add('s', PACKET_ACK, 1, 4, "answer");
	add('c', PACKET_ACK, 4, 7, "next");
	EXPECT(strcmp(told, "open ") == 0);
	add('c', PACKET_ACK, 1, 1, "ask");
	finish("open c:ask s:answer c:next unfinished;");
}

/* Each waits for the other, since both first copies were not captured: nothing is missing. */
static void
test_copies_do_not_wait_for_each_other(void)
{
	begin((struct reassembly_config){0});
	handshake();
	add('c', PACKET_ACK, 1, 4, "one");
	add('s', PACKET_ACK, 1, 4, "two");
	finish("open c:one s:two unfinished;");
}

static void
test_first_copy_counts(void)
{
	begin((struct reassembly_config){0});
	handshake();
	add('c', PACKET_ACK, 1, 1, "abc");
	add('c', PACKET_ACK, 1, 1, "XXXdef");
	finish("open c:abc c:def unfinished;");
}

static void
test_gap(void)
{
	begin((struct reassembly_config){0});
	handshake();
	add('s', PACKET_ACK, 1, 1, "abc");
	add('s', PACKET_ACK, 8, 1, "later");
	add('c', PACKET_ACK, 1, 13, "thanks");
	EXPECT(strcmp(told, "open s:abc ") == 0);
	finish("open s:abc gap:s+3(4) gap-15;");
}

/* The bytes behind a gap are held up to the bound, not longer. */
static void
test_gap_when_memory_says_so(void)
{
	char text[1001] = "";

	begin((struct reassembly_config){.hold_stream = 20000});
	handshake();
	memset(text, 'x', 1000);
	for (uint32_t i = 0; i < 30 && strstr(told, "gap") == NULL; i++)
		add('s', PACKET_ACK, 3 + i * 1000, 1, text);
	EXPECT(strcmp(told, "open gap:s+0(2) ") == 0);
	add('s', PACKET_RST, 100001, 0, "");
	finish("open gap:s+0(2) gap-19002;");
}

static void
test_hold_total_takes_the_longest_held(void)
{
	char text[1001] = "";

	begin((struct reassembly_config){.hold_total = 4000});
	memset(text, 'x', 1000);
	for (port = 4000; port < 4004; port++) {
		handshake();
		add('c', PACKET_ACK, 11, 1, text);
	}
	EXPECT(strcmp(told, "open open open open gap:c+0(10) ") == 0);
	reassembly_free(reassembly);
}

/* Live: what was acknowledged and did not come is given up after a while, what was not is not. */
static void
test_patience(void)
{
	begin((struct reassembly_config){.patience = SECOND});
	handshake();
	add('c', PACKET_ACK, 3, 1, "hole");
	now += 2 * SECOND;
	reassembly_expire(reassembly, now);
	EXPECT(strcmp(told, "open ") == 0);
	add('s', PACKET_ACK, 1, 7, "");
	now += 2 * SECOND;
	reassembly_expire(reassembly, now);
	EXPECT(strcmp(told, "open gap:c+0(2) ") == 0);
	finish("open gap:c+0(2) gap-6;");
}

static void
test_client_only(void)
{
	begin((struct reassembly_config){.client_only = true});
	add('c', PACKET_SYN, 0, 0, "");
	add('c', PACKET_ACK, 1, 1, "ask");
	add('s', PACKET_ACK, 1, 4, "answer that is not waited for");
	add('c', PACKET_ACK, 4, 900, "more");
	add('s', PACKET_ACK | PACKET_FIN, 901, 8, "");
	add('c', PACKET_ACK | PACKET_FIN, 8, 902, "");
	finish("open c:ask c:more s:eof c:eof closed;");

	begin((struct reassembly_config){.client_only = true});
	handshake();
	add('c', PACKET_ACK, 1, 1, "ask");
	add('s', PACKET_ACK | PACKET_FIN, 1, 4, "");
	add('c', PACKET_ACK | PACKET_FIN, 4, 2, "");
	finish("open c:ask s:eof c:eof closed;");

	begin((struct reassembly_config){.client_only = true});
	handshake();
	add('s', PACKET_RST, (uint32_t)-500000, 0, ""); /* of an earlier connection */
	add('c', PACKET_ACK, 1, 1, "ask");
	add('s', PACKET_RST, 1, 0, "");
	finish("open c:ask s:reset reset;");

	/* the server's numbers are followed also where they have gone far */
	begin((struct reassembly_config){.client_only = true});
	handshake();
	add('c', PACKET_ACK, 1, 1, "ask");
	for (uint32_t far = 1; far < 50; far++)
		add('s', PACKET_ACK, far * 30000000, 4, "answer");
	add('s', PACKET_ACK | PACKET_FIN, 49 * 30000000u + 6, 4, "");
	add('c', PACKET_ACK | PACKET_FIN, 4, 49 * 30000000u + 7, "");
	finish("open c:ask s:eof c:eof closed;");
}

static void
test_begun_only(void)
{
	begin((struct reassembly_config){.begun_only = true});
	add('c', PACKET_ACK, 1, 1, "ask");
	port++;
	handshake();
	add('c', PACKET_ACK, 1, 1, "hello");
	finish("open c:hello unfinished;");
}

static void
test_joined_midway(void)
{
	begin((struct reassembly_config){.server_port = 4000});
	add('s', PACKET_ACK, 700, 300, "who asks is the one that is not port 4000");
	finish("open? c:who asks is the one that is not port 4000 unfinished;");
	begin((struct reassembly_config){0});
	add('s', PACKET_ACK, 700, 300, "answer");
	add('c', PACKET_ACK, 299, 700, "\xff"); /* a keep-alive's byte */
	add('c', PACKET_ACK, 300, 706, "thanks");
	finish("open? s:answer c:thanks unfinished;");
}

static void
test_ignored(void)
{
	begin((struct reassembly_config){0});
	handshake();
	ignore = true;
	add('c', PACKET_ACK, 1, 1, "ask");
	add('c', PACKET_ACK, 4, 1, "more");
	add('c', PACKET_RST, 8, 1, "");
	finish("open c:ask reset-4;");
}

static void
test_evicted(void)
{
	begin((struct reassembly_config){.streams = 2});
	for (port = 4000; port < 4003; port++)
		handshake();
	EXPECT(strcmp(told, "open open evicted;open ") == 0);
	EXPECT(reassembly_counters(reassembly)->evicted == 1);
	finish("open open evicted;open unfinished;unfinished;");
}

static void
test_refused(void)
{
	begin((struct reassembly_config){0});
	add('c', PACKET_SYN, 0, 0, "");
	add('s', PACKET_RST | PACKET_ACK, 0, 1, "");
	add('c', PACKET_SYN, 77, 0, ""); /* tries again */
	add('c', PACKET_RST, 78, 0, "");
	finish("open refused;open c:reset reset;");
}

int
main(void)
{
	test_whole();
	test_causes_come_first();
	test_copies_do_not_wait_for_each_other();
	test_first_copy_counts();
	test_gap();
	test_gap_when_memory_says_so();
	test_hold_total_takes_the_longest_held();
	test_patience();
	test_client_only();
	test_begun_only();
	test_joined_midway();
	test_ignored();
	test_evicted();
	test_refused();
	return 0;
}
