#include "format/segment.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "format/checksum.h"

#define TCP_HEADER 20
#define HEADER_MAX (40 + TCP_HEADER + 4) /* IPv6, TCP, the MSS option */
#define ETHERNET_MTU 1500
#define WINDOW UINT16_MAX /* not scaled: what is on its way stays below it anyhow */
#define MICROSECOND 1000
#define TIME_MOST (INT64_MAX - MICROSECOND) /* of damaged logs; there is room for more packets */

enum flag { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10 };

/*
 * A header being written in words of 32 bits, which are summed on the way: to read back what was
 * just written in pieces would take longer than all the rest.
 */
struct header {
	unsigned char *at;
	uint64_t sum;
};

static void
header_put(struct header *header, uint32_t word)
{
	word = htonl(word);
	memcpy(header->at, &word, sizeof(word));
	header->at += sizeof(word);
	header->sum += word;
}

static void
header_put_address(struct header *header, const struct segment_peer *peer)
{
	memcpy(header->at, peer->address, peer->size);
	header->at += peer->size;
}

/* -- headers -- */

static size_t
ip_header_size(const struct segment *segment)
{
	return segment->peers[0].size == 4 ? 20 : 40;
}

/* The IPv4 or IPv6 header of `size` bytes of TCP that `from` sends. */
static void
put_ip(const struct segment *segment, unsigned char *packet, enum side from, size_t size)
{
	const struct segment_peer *source = &segment->peers[from], *target = &segment->peers[!from];
	struct header header = {packet, segment->address_sum};
	uint16_t checksum;

	if (source->size == 4) {
		header_put(&header, 0x45000000 | (uint32_t)(20 + size)); /* version, length */
		/* don't fragment; so the identification may be 0, RFC 6864 */
		header_put(&header, 0x4000);
		header_put(&header, 64 << 24 | IPPROTO_TCP << 16);
		checksum = checksum_fold(header.sum);
		memcpy(packet + 10, &checksum, sizeof(checksum));
	} else {
		header_put(&header, 6u << 28);
		header_put(&header, (uint32_t)size << 16 | IPPROTO_TCP << 8 | 64);
	}
	header_put_address(&header, source);
	header_put_address(&header, target);
}

/* The TCP header in front of `payload` bytes, which are there; a SYN tells the MSS. Returns its
 * size. */
static size_t
put_tcp(const struct segment *segment, unsigned char *tcp, enum side from, unsigned flags,
    size_t payload)
{
	size_t size = flags & SYN ? TCP_HEADER + 4 : TCP_HEADER;
	struct header header = {tcp, segment->address_sum};
	uint16_t checksum;

	header_put(&header, (uint32_t)segment->peers[from].port << 16 | segment->peers[!from].port);
	header_put(&header, segment->next[from]);
	header_put(&header, flags & ACK ? segment->next[!from] : 0);
	header_put(
	    &header, (uint32_t)size << 26 | (uint32_t)flags << 16 | (flags & RST ? 0 : WINDOW));
	header_put(&header, 0); /* checksum, urgent pointer */
	if (flags & SYN)
		header_put(&header, 2u << 24 | 4u << 16 | segment->mss);
	/* and the pseudo header, RFC 9293, 3.1 */
	header.sum += (uint64_t)htons(IPPROTO_TCP) + htons((uint16_t)(size + payload));
	checksum = checksum_fold(checksum_add(header.sum, header.at, payload));
	memcpy(tcp + 16, &checksum, sizeof(checksum));
	return size;
}

/* Fill in the headers in front of `payload` bytes, and pass the packet on. */
static void
packet_end(struct segment *segment, unsigned char *packet, enum side from, unsigned flags,
    size_t payload, const char *comment)
{
	size_t ip = ip_header_size(segment);
	size_t size = put_tcp(segment, packet + ip, from, flags, payload) + payload;

	put_ip(segment, packet, from, size);
	segment->next[from] += (uint32_t)payload + (flags & (SYN | FIN) ? 1 : 0);
	capture_packet_end(segment->writer, ip + size, segment->time, comment);
	if (segment->time % MICROSECOND != MICROSECOND - 1)
		segment->time++;
}

/* A packet without payload. */
static int
packet_put(struct segment *segment, enum side from, unsigned flags, const char *comment)
{
	unsigned char *packet = capture_packet_begin(segment->writer, HEADER_MAX);

	if (packet == NULL)
		return -1;
	packet_end(segment, packet, from, flags, 0, comment);
	return 0;
}

/* -- the connection -- */

/* Sequence numbers begin anywhere, but the same recording gives the same capture. */
static void
sequence_init(struct segment *segment)
{
	uint64_t hash = segment_peers_hash(segment->peers);

	segment->next[SIDE_CLIENT] = (uint32_t)hash;
	segment->next[SIDE_SERVER] = (uint32_t)(hash >> 32);
}

void
segment_init(struct segment *segment, struct capture_writer *writer,
    const struct segment_peer peers[2], unsigned mss)
{
	uint64_t sum = 0;

	memset(segment, 0, sizeof(*segment));
	segment->writer = writer;
	memcpy(segment->peers, peers, sizeof(segment->peers));
	segment->time = INT64_MIN;
	segment->mss = (uint16_t)mss;
	if (mss == 0)
		segment->mss = (uint16_t)(ETHERNET_MTU - TCP_HEADER - ip_header_size(segment));
	for (int i = 0; i < 2; i++)
		sum = checksum_add(sum, peers[i].address, peers[i].size);
	segment->address_sum = (uint16_t)~checksum_fold(sum);
	sequence_init(segment);
}

/* Set the time of the next packets. What other connections wrote within the same microsecond was
 * before. */
static void
clock_set(struct segment *segment, int64_t time)
{
	int64_t last = segment->writer->last;

	if (time < segment->time)
		time = segment->time;
	if (last > time && last / MICROSECOND == time / MICROSECOND)
		time = last;
	if (time > TIME_MOST)
		time = TIME_MOST;
	segment->time = time;
}

int
segment_connect(struct segment *segment, int64_t time, const char *comment)
{
	clock_set(segment, time);
	segment->connecting = true;
	return packet_put(segment, SIDE_CLIENT, SYN, comment);
}

int
segment_accept(struct segment *segment, int64_t time)
{
	clock_set(segment, time);
	segment->connecting = false;
	if (packet_put(segment, SIDE_SERVER, SYN | ACK, NULL) != 0)
		return -1;
	return packet_put(segment, SIDE_CLIENT, ACK, NULL);
}

int
segment_refuse(struct segment *segment, int64_t time)
{
	clock_set(segment, time);
	segment->reset = true;
	segment->next[SIDE_SERVER] = 0; /* RFC 9293, 3.10.7.1 */
	return packet_put(segment, SIDE_SERVER, RST | ACK, NULL);
}

/* Something happens on the connection, which must have been accepted for that. */
static int
event_begin(struct segment *segment, int64_t time)
{
	if (segment->connecting)
		return segment_accept(segment, time);
	clock_set(segment, time);
	return 0;
}

bool
segment_may_send(const struct segment *segment, enum side side)
{
	return !segment->reset && !segment->finished[side];
}

int
segment_finish(struct segment *segment, enum side side, int64_t time)
{
	if (event_begin(segment, time) != 0)
		return -1;
	segment->finished[side] = true;
	if (packet_put(segment, side, FIN | ACK, NULL) != 0)
		return -1;
	return packet_put(segment, !side, ACK, NULL);
}

int
segment_reset(struct segment *segment, enum side side, int64_t time, const char *comment)
{
	if (event_begin(segment, time) != 0)
		return -1;
	segment->reset = true;
	return packet_put(segment, side, RST | ACK, comment);
}

bool
segment_is_over(const struct segment *segment)
{
	return segment->reset || (segment->finished[0] && segment->finished[1]);
}

/* -- data -- */

int
segment_data_begin(struct segment *segment, enum side side, int64_t time, uint64_t size)
{
	segment->sender = side;
	segment->left = size;
	segment->unacknowledged = 0;
	return event_begin(segment, time);
}

static int
acknowledge(struct segment *segment)
{
	segment->unacknowledged = 0;
	return packet_put(segment, !segment->sender, ACK, NULL);
}

/* The packet being filled is complete. Every second segment is acknowledged, as RFC 9293 asks for;
 * every one where two of them would fill the window. */
static int
data_send(struct segment *segment)
{
	unsigned most = 2u * segment->mss < WINDOW ? 2 : 1;

	packet_end(segment, segment->packet, segment->sender, segment->left == 0 ? PSH | ACK : ACK,
	    segment->filled, NULL);
	segment->packet = NULL;
	if (++segment->unacknowledged < most)
		return 0;
	return acknowledge(segment);
}

int
segment_data(struct segment *segment, const unsigned char *piece, size_t size)
{
	size_t header = ip_header_size(segment) + TCP_HEADER;

	while (size > 0) {
		if (segment->packet == NULL) {
			segment->filled = 0;
			segment->packet =
			    capture_packet_begin(segment->writer, header + segment->mss);
			if (segment->packet == NULL)
				return -1;
		}
		size_t room = segment->mss - segment->filled, take = size < room ? size : room;
		memcpy(segment->packet + header + segment->filled, piece, take);
		segment->filled += take;
		segment->left -= take;
		piece += take;
		size -= take;
		if (segment->filled == segment->mss && data_send(segment) != 0)
			return -1;
	}
	return 0;
}

int
segment_data_end(struct segment *segment)
{
	if (segment->packet != NULL && data_send(segment) != 0)
		return -1;
	return segment->unacknowledged > 0 ? acknowledge(segment) : 0;
}

size_t
segment_room(const struct segment *segment, size_t size)
{
	size_t segments = size / segment->mss + 1;

	/* an acknowledgement each, and one more for what a failure adds */
	return size + (2 * segments + 2) * (HEADER_MAX + CAPTURE_OVERHEAD);
}
