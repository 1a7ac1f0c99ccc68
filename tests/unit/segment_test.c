/* Synthesised TCP, read by a reader of its own that knows RFC 9293 only. */
#include "format/segment.h"

#include <arpa/inet.h>

#include "format/checksum.h"

#include "tests/unit/test.h"

#define ROOM (8 << 20)

/* What a receiver knows of the two directions. */
struct wire {
	struct capture_writer writer;
	unsigned char *memory;
	size_t seen;	   /* bytes of it that were read */
	uint32_t next[2];  /* what must come next */
	uint32_t acked[2]; /* of what a side sent */
	bool begun[2];
	uint64_t bytes[2];
	unsigned packets;
	unsigned char last_flags;
	size_t largest;
	int64_t time;
	unsigned char data[2][1 << 20];
};

static struct wire wire;
static struct segment segment;

static int
no_room(struct capture_writer *writer, size_t need)
{
	(void)writer;
	(void)need;
	errno = ENOBUFS;
	return -1;
}

static uint32_t
word(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return ntohl(value);
}

static void
begin(const char *client, const char *server, unsigned mss)
{
	unsigned char *memory = wire.memory != NULL ? wire.memory : malloc(ROOM);
	struct segment_peer peers[2];

	EXPECT(memory != NULL);
	memset(&wire, 0, sizeof(wire));
	wire.memory = memory;
	wire.writer = (struct capture_writer){
	    .format = CAPTURE_PCAP, .at = memory, .end = memory + ROOM, .make_room = no_room};
	EXPECT(segment_peer_parse(client, &peers[0]) == NULL);
	EXPECT(segment_peer_parse(server, &peers[1]) == NULL);
	segment_init(&segment, &wire.writer, peers, mss);
}

/* The TCP header of an IP packet, both checksums verified; `*size` becomes that of header and data.
 */
static const unsigned char *
tcp_of(const unsigned char *ip, size_t *size)
{
	uint64_t sum = htons(6);
	size_t header = ip[0] >> 4 == 4 ? 20 : 40;

	if (header == 20) {
		EXPECT(checksum_fold(checksum_add(0, ip, 20)) == 0);
		EXPECT(word(ip) == (0x45000000 | *size) && ip[9] == 6);
		sum = checksum_add(sum, ip + 12, 8);
	} else {
		EXPECT(word(ip + 4) >> 16 == *size - 40 && ip[6] == 6);
		sum = checksum_add(sum, ip + 8, 32);
	}
	*size -= header;
	EXPECT(checksum_fold(checksum_add(sum + htons((uint16_t)*size), ip + header, *size)) == 0);
	return ip + header;
}

static void
data_take(int from, const unsigned char *data, size_t size)
{
	EXPECT(wire.bytes[from] + size <= sizeof(wire.data[from]));
	memcpy(wire.data[from] + wire.bytes[from], data, size);
	wire.bytes[from] += size;
	if (size > wire.largest)
		wire.largest = size;
}

static void
packet_read(const unsigned char *ip, size_t size)
{
	const unsigned char *tcp = tcp_of(ip, &size);
	int from = tcp[0] << 8 | tcp[1] ? (tcp[0] << 8 | tcp[1]) == 80 : 0;
	unsigned flags = wire.last_flags = tcp[13];
	size_t header = (size_t)(tcp[12] >> 4) * 4, payload = size - header;

	if (!wire.begun[from])
		wire.next[from] = wire.acked[from] = word(tcp + 4);
	wire.begun[from] = true;
	EXPECT(word(tcp + 4) == wire.next[from]);
	wire.next[from] += (uint32_t)payload + ((flags & 3) != 0 ? 1 : 0);
	if ((flags & 0x10) != 0 && wire.begun[!from]) {
		/* neither behind nor ahead */
		EXPECT(word(tcp + 8) == wire.next[!from]);
		wire.acked[!from] = word(tcp + 8);
	}
	/* what is not acknowledged stays below the window */
	EXPECT((flags & 4) != 0 || wire.next[from] - wire.acked[from] < 65535);
	EXPECT((tcp[14] << 8 | tcp[15]) == ((flags & 4) != 0 ? 0 : 65535));
	data_take(from, tcp + header, payload);
}

/* Read what was written since. */
static void
packets_read(void)
{
	while (wire.memory + wire.seen < wire.writer.at) {
		const unsigned char *record = wire.memory + wire.seen;
		uint32_t seconds, fraction, size;
		memcpy(&seconds, record, 4);
		memcpy(&fraction, record + 4, 4);
		memcpy(&size, record + 8, 4);
		int64_t time = seconds * INT64_C(1000000) + fraction;
		EXPECT(time >= wire.time);
		wire.time = time;
		packet_read(record + 16, size);
		wire.packets++;
		wire.seen += 16 + size;
	}
	EXPECT(wire.memory + wire.seen == wire.writer.at);
	wire.writer.at = wire.memory;
	wire.seen = 0;
}

/* `side` sends `size` bytes of the test's own, in pieces of `piece`. */
static void
send_bytes(enum side side, int64_t time, size_t size, size_t piece)
{
	static unsigned char bytes[1 << 20];
	unsigned char *before = wire.writer.at;
	uint64_t had = wire.bytes[side];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)(i * 31 + i / 251 + (size_t)time);
	EXPECT(segment_data_begin(&segment, side, time, size) == 0);
	for (size_t at = 0; at < size; at += piece)
		EXPECT(
		    segment_data(&segment, bytes + at, size - at < piece ? size - at : piece) == 0);
	EXPECT(segment_data_end(&segment) == 0);
	EXPECT((size_t)(wire.writer.at - before) <= segment_room(&segment, size));
	packets_read();
	EXPECT(wire.bytes[side] == had + size);
	EXPECT(memcmp(wire.data[side] + had, bytes, size) == 0);
	EXPECT(wire.acked[side] == wire.next[side]);
	wire.bytes[side] = had;
}

static void
test_connection(const char *client, const char *server, unsigned mss, size_t most)
{
	begin(client, server, mss);
	/* just before the sequence numbers begin anew */
	segment.next[0] = UINT32_MAX - 5000;
	segment.next[1] = UINT32_MAX;
	EXPECT(segment_connect(&segment, 1000, "name") == 0);
	EXPECT(segment.connecting && segment_may_send(&segment, SIDE_CLIENT));
	EXPECT(segment_accept(&segment, 2000) == 0);
	packets_read();
	EXPECT(wire.packets == 3 && !segment.connecting);
	for (size_t piece = 1; piece < 70000; piece = piece * 5 + 3) {
		send_bytes(SIDE_CLIENT, 3000, 100000, piece);
		send_bytes(SIDE_SERVER, 4000, most + piece, 65536);
	}
	EXPECT(wire.largest == most);
	EXPECT(segment_finish(&segment, SIDE_CLIENT, 5000) == 0);
	EXPECT(!segment_may_send(&segment, SIDE_CLIENT) && !segment_is_over(&segment));
	send_bytes(SIDE_SERVER, 6000, 7, 7);
	EXPECT(segment_finish(&segment, SIDE_SERVER, 7000) == 0);
	packets_read();
	EXPECT(segment_is_over(&segment) && wire.acked[1] == wire.next[1]);
	EXPECT(wire.next[0] < 5000000 && wire.time == 7);
}

static void
test_ends(void)
{
	begin("10.0.0.1:1000", "10.0.0.2:80", 0);
	EXPECT(segment_connect(&segment, 0, NULL) == 0);
	EXPECT(segment_refuse(&segment, 5000) == 0);
	packets_read();
	EXPECT(wire.packets == 2 && wire.last_flags == 0x14 && segment_is_over(&segment));

	/* what happens first shows that the server has accepted */
	begin("10.0.0.1:1000", "10.0.0.2:80", 0);
	EXPECT(segment_connect(&segment, 0, NULL) == 0);
	EXPECT(segment_reset(&segment, SIDE_SERVER, 5000, "why") == 0);
	packets_read();
	EXPECT(wire.packets == 4 && wire.last_flags == 0x14 && segment_is_over(&segment));
	EXPECT(!segment_may_send(&segment, SIDE_CLIENT));

	/* begun before the log was: no handshake is made up */
	begin("10.0.0.1:1000", "10.0.0.2:80", 0);
	send_bytes(SIDE_SERVER, 1000, 3, 3);
	EXPECT(wire.packets == 2);

	/* fewer bytes came than were announced */
	begin("10.0.0.1:1000", "10.0.0.2:80", 100);
	EXPECT(segment_data_begin(&segment, SIDE_CLIENT, 0, 1000) == 0);
	EXPECT(segment_data(&segment, (const unsigned char *)"abc", 3) == 0);
	EXPECT(segment_data_end(&segment) == 0);
	packets_read();
	EXPECT(wire.packets == 2 && wire.bytes[0] == 3);
}

/* A thousand packets of one event stay in its microsecond; times never fall. */
static void
test_clock(void)
{
	begin("10.0.0.1:1000", "10.0.0.2:80", 0);
	send_bytes(SIDE_CLIENT, 1000000, 500, 1);
	segment.mss = 1;
	send_bytes(SIDE_CLIENT, 2000000, 4000, 4000);
	EXPECT(wire.writer.last == 2000999);
	send_bytes(SIDE_CLIENT, 1500000, 1, 1);
	EXPECT(wire.writer.last == 2000999);
	send_bytes(SIDE_CLIENT, 2001000, 1, 1);
	EXPECT(wire.writer.last == 2001001);
	/* another connection's packets in the same microsecond come before */
	wire.writer.last = 3000500;
	send_bytes(SIDE_CLIENT, 3000000, 1, 1);
	EXPECT(wire.writer.last == 3000501);
	/* what damaged logs may say */
	EXPECT(segment_finish(&segment, SIDE_CLIENT, INT64_MAX) == 0);
	EXPECT(segment_finish(&segment, SIDE_SERVER, INT64_MAX) == 0);
	begin("10.0.0.1:1000", "10.0.0.2:80", 0);
	send_bytes(SIDE_CLIENT, INT64_MIN, 1, 1);
	EXPECT(wire.packets == 2 && wire.time == 0);
}

static void
test_no_room(void)
{
	begin("10.0.0.1:1000", "10.0.0.2:80", 0);
	wire.writer.end = wire.writer.at + 100;
	errno = 0;
	EXPECT(segment_connect(&segment, 0, NULL) == -1 && errno == ENOBUFS);
	EXPECT(segment_data_begin(&segment, SIDE_CLIENT, 0, 1) == -1);
}

int
main(void)
{
	test_connection("10.0.0.1:1000", "10.0.0.2:80", 0, 1460);
	test_connection("[2001:db8::1]:1000", "[::1]:80", 0, 1440);
	test_connection("10.0.0.1:1000", "10.0.0.2:80", 7, 7);
	test_connection("10.0.0.1:1000", "10.0.0.2:80", 32767, 32767);
	test_connection("10.0.0.1:1000", "10.0.0.2:80", 32768, 32768);
	test_connection("[::1]:1000", "[::1]:80", SEGMENT_MSS_MAX, SEGMENT_MSS_MAX);
	test_ends();
	test_clock();
	test_no_room();
	free(wire.memory);
	puts("ok segment_test");
	return 0;
}
