/*
 * Captured packets taken apart: link layer, IPv4 and IPv6 down to the TCP segment. Knows neither
 * files nor libpcap; never reads beyond what was captured. Checksums are not looked at: a capture
 * made where the network card computes them holds wrong ones.
 */
#ifndef FORMAT_PACKET_H
#define FORMAT_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One packet as a capture holds it. */
struct packet {
	int link;	      /* its link type: LINKTYPE_ or DLT_ value */
	int64_t time;	      /* nanoseconds since the epoch */
	const uint8_t *bytes; /* `captured` of them, lent */
	size_t captured;
	size_t length; /* what it was on the wire: more if the snapshot length cut it */
};

/* One end of a connection. Comparable by memcmp(3). */
struct packet_end {
	uint8_t address[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
	uint16_t port;
};

#define PACKET_FIN 0x01
#define PACKET_SYN 0x02
#define PACKET_RST 0x04
#define PACKET_PSH 0x08
#define PACKET_ACK 0x10

/* A TCP segment (RFC 9293); `data` points into the packet, or into the decoder until its next call.
 */
struct packet_segment {
	struct packet_end from, to;
	uint32_t seq, ack;
	uint8_t flags;
	const uint8_t *data; /* payload, `size` bytes */
	size_t size;
	size_t missing; /* payload bytes behind these that were sent and not captured */
};

enum packet_status {
	PACKET_SEGMENT,	 /* a TCP segment */
	PACKET_OTHER,	 /* something else than TCP over IP */
	PACKET_FRAGMENT, /* a part of an IP packet whose rest is still to come */
	PACKET_CUT,	 /* the snapshot length took a part of the headers, or of a fragment */
	PACKET_BAD	 /* its headers contradict themselves */
};

/* Holds the fragments of incomplete IP packets, at most some 16 MiB, the oldest dropped first. */
struct packet_decoder;

/* Returns NULL with errno. */
struct packet_decoder *packet_decoder_new(void);
void packet_decoder_free(struct packet_decoder *decoder);

/* Is the link type one of those that are understood: Ethernet (VLAN tags, PPPoE), Linux cooked 1
 * and 2, null and loopback, raw IP, PPP? */
bool packet_link_known(int link);

/* Take `packet` apart; `segment` is set with PACKET_SEGMENT. */
enum packet_status packet_decode(
    struct packet_decoder *decoder, const struct packet *packet, struct packet_segment *segment);

/* IP packets of which some fragments came and others did not, dropped so far; with `all`, those
 * that are still waited for count too. */
uint64_t packet_fragments_lost(const struct packet_decoder *decoder, bool all);

/* "192.0.2.1:80" or "[2001:db8::1]:80"; returns `text`. */
#define PACKET_END_MAX 64
char *packet_end_format(const struct packet_end *end, char text[PACKET_END_MAX]);

#endif
