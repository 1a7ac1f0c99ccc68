#include "format/packet.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "format/digits.h"
#include "format/digits.h"
#include "format/packet_fragment.h"
#include "format/packet_link.h"
#include "format/packet_view.h"

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20

enum {
	PROTOCOL_HOP_BY_HOP = 0,
	PROTOCOL_TCP = 6,
	PROTOCOL_ROUTING = 43,
	PROTOCOL_FRAGMENT = 44,
	PROTOCOL_AUTHENTICATION = 51,
	PROTOCOL_DESTINATION = 60,
	PROTOCOL_MOBILITY = 135
};

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

struct packet_decoder {
	struct fragments *fragments;
};

/* What is known of a packet on the way down. */
struct decoding {
	struct packet_decoder *decoder;
	int64_t time;
	struct packet_view view;
	struct packet_segment *segment;
};

struct packet_decoder *
packet_decoder_new(void)
{
	struct packet_decoder *decoder = calloc(1, sizeof(*decoder));

	if (decoder == NULL)
		return NULL;
	decoder->fragments = fragments_new();
	if (decoder->fragments == NULL) {
		free(decoder);
		return NULL;
	}
	return decoder;
}

void
packet_decoder_free(struct packet_decoder *decoder)
{
	if (decoder == NULL)
		return;
	fragments_free(decoder->fragments);
	free(decoder);
}

uint64_t
packet_fragments_lost(const struct packet_decoder *decoder, bool all)
{
	return fragments_lost(decoder->fragments, all);
}

/* RFC 9293, section 3.1. */
static enum packet_status
tcp_decode(struct decoding *decoding)
{
	struct packet_segment *segment = decoding->segment;
	struct packet_view *view = &decoding->view;
	const uint8_t *header;
	size_t length;

	if (view->wire < TCP_HEADER)
		return PACKET_BAD;
	header = view_take(view, TCP_HEADER);
	if (header == NULL)
		return PACKET_CUT;
	segment->from.port = view_16(header);
	segment->to.port = view_16(header + 2);
	segment->seq = view_32(header + 4);
	segment->ack = view_32(header + 8);
	segment->flags = header[13];
	length = (size_t)(header[12] >> 4) * 4;
	if (length < TCP_HEADER || length - TCP_HEADER > view->wire)
		return PACKET_BAD;
	length -= TCP_HEADER;
	if (view_take(view, length) == NULL) {
		/* not even the options are all there */
		segment->data = view->at;
		segment->size = 0;
		segment->missing = view->wire - length;
		return PACKET_SEGMENT;
	}
	segment->data = view->at;
	segment->size = view->left;
	segment->missing = view->wire - view->left;
	return PACKET_SEGMENT;
}

/* A fragment's payload is `view`, its addresses are in the segment. Returns as fragments_add(). */
static enum packet_status
fragment_take(
    struct decoding *decoding, uint32_t id, unsigned protocol, const struct fragment_place *place)
{
	struct fragment_key key = {.id = id, .protocol = protocol};

	memcpy(key.from, decoding->segment->from.address, sizeof(key.from));
	memcpy(key.to, decoding->segment->to.address, sizeof(key.to));
	return fragments_add(
	    decoding->decoder->fragments, &key, place, decoding->time, &decoding->view);
}

/* Written in words, as it is read to be compared: the processor waits for smaller pieces. */
static void
address_map(uint8_t address[16], const uint8_t *ipv4)
{
	uint64_t high = 0, low;
	uint32_t part;

	memcpy(&part, ipv4, sizeof(part));
	low = htole64((uint64_t)le32toh(part) << 32 | 0xffff0000);
	memcpy(address, &high, sizeof(high));
	memcpy(address + sizeof(high), &low, sizeof(low));
}

/* RFC 791, section 3.1. */
static enum packet_status
ipv4_decode(struct decoding *decoding)
{
	struct packet_view *view = &decoding->view;
	const uint8_t *header = view_take(view, IPV4_HEADER);
	enum packet_status status = PACKET_SEGMENT;
	size_t length, total;
	unsigned place;

	if (header == NULL)
		return PACKET_CUT;
	length = (size_t)(header[0] & 15) * 4;
	total = view_16(header + 2);
	if (length < IPV4_HEADER)
		return PACKET_BAD;
	/* 0: the kernel has yet to cut a giant into packets. What else the header says goes, since
	 * sequence numbers follow it; what lies behind it is padding. */
	if (total != 0 && total < length)
		return PACKET_BAD;
	if (total != 0)
		view_limit(view, total - IPV4_HEADER);
	if (view->wire < length - IPV4_HEADER)
		return PACKET_BAD;
	address_map(decoding->segment->from.address, header + 12);
	address_map(decoding->segment->to.address, header + 16);
	if (view_take(view, length - IPV4_HEADER) == NULL)
		return PACKET_CUT;
	if (header[9] != PROTOCOL_TCP)
		return PACKET_OTHER;
	place = view_16(header + 6);
	if ((place & 0x3fff) != 0)
		status = fragment_take(decoding, view_16(header + 4), header[9],
		    &(struct fragment_place){(size_t)(place & 0x1fff) * 8, (place & 0x2000) != 0});
	return status == PACKET_SEGMENT ? tcp_decode(decoding) : status;
}

static bool
is_extension(unsigned protocol)
{
	switch (protocol) {
	case PROTOCOL_HOP_BY_HOP:
	case PROTOCOL_ROUTING:
	case PROTOCOL_FRAGMENT:
	case PROTOCOL_AUTHENTICATION:
	case PROTOCOL_DESTINATION:
	case PROTOCOL_MOBILITY:
		return true;
	default:
		return false;
	}
}

/* RFC 8200, section 4.5. Returns as fragments_add(). */
static enum packet_status
ipv6_fragment_take(struct decoding *decoding, const uint8_t *header)
{
	unsigned place = view_16(header + 2);

	if ((place & 0xfff9) == 0) /* a fragment that is all of it: RFC 6946 */
		return PACKET_SEGMENT;
	/* what an extension header leads to is known when all are there */
	if (header[0] != PROTOCOL_TCP && !is_extension(header[0]))
		return PACKET_OTHER;
	return fragment_take(decoding, view_32(header + 4), header[0],
	    &(struct fragment_place){place & 0xfff8, (place & 1) != 0});
}

/* The rest of an extension header whose first 8 bytes are `header`. */
static size_t
extension_rest(unsigned protocol, const uint8_t *header)
{
	if (protocol == PROTOCOL_AUTHENTICATION) /* RFC 4302, section 2.2 */
		return (size_t)header[1] * 4;
	return (size_t)header[1] * 8;
}

/* Go through the extension headers, the first one's type being `protocol`; a Fragment header may
 * stand before others, which its fragments then carry. */
static enum packet_status
ipv6_extensions_decode(struct decoding *decoding, unsigned protocol)
{
	struct packet_view *view = &decoding->view;

	while (protocol != PROTOCOL_TCP) {
		const uint8_t *header;
		unsigned next;

		if (!is_extension(protocol))
			return PACKET_OTHER;
		header = view_take(view, 8);
		if (header == NULL)
			return PACKET_CUT;
		next = header[0]; /* fragments put together are given up for the next ones */
		if (protocol == PROTOCOL_FRAGMENT) {
			enum packet_status status = ipv6_fragment_take(decoding, header);
			if (status != PACKET_SEGMENT)
				return status;
		} else if (view_take(view, extension_rest(protocol, header)) == NULL) {
			return PACKET_CUT;
		}
		protocol = next;
	}
	return tcp_decode(decoding);
}

/* RFC 8200, sections 3 and 4. */
static enum packet_status
ipv6_decode(struct decoding *decoding)
{
	struct packet_view *view = &decoding->view;
	const uint8_t *header = view_take(view, IPV6_HEADER);

	if (header == NULL)
		return PACKET_CUT;
	if (view_16(header + 4) != 0) /* 0: a giant, as in IPv4, or a jumbogram */
		view_limit(view, view_16(header + 4));
	memcpy(decoding->segment->from.address, header + 8, 16);
	memcpy(decoding->segment->to.address, header + 24, 16);
	return ipv6_extensions_decode(decoding, header[6]);
}

enum packet_status
packet_decode(
    struct packet_decoder *decoder, const struct packet *packet, struct packet_segment *segment)
{
	struct decoding decoding = {.decoder = decoder,
	    .time = packet->time,
	    .view = {packet->bytes, packet->captured, packet->length},
	    .segment = segment};
	enum packet_status status;

	if (decoding.view.wire < decoding.view.left)
		decoding.view.wire = decoding.view.left;
	status = packet_link_strip(packet->link, &decoding.view);
	if (status != PACKET_SEGMENT)
		return status;
	if (decoding.view.left == 0)
		return PACKET_CUT;
	switch (decoding.view.at[0] >> 4) {
	case 4:
		return ipv4_decode(&decoding);
	case 6:
		return ipv6_decode(&decoding);
	default:
		return PACKET_BAD;
	}
}

char *
packet_end_format(const struct packet_end *end, char text[PACKET_END_MAX])
{
	const uint8_t *ipv4 = end->address + sizeof(mapped);
	char *at = text;

	if (memcmp(end->address, mapped, sizeof(mapped)) == 0) {
		for (int i = 0; i < 4; i++) {
			at = digits_put(at, ipv4[i]);
			*at++ = i < 3 ? '.' : ':';
		}
	} else {
		*at++ = '[';
		inet_ntop(AF_INET6, end->address, at, INET6_ADDRSTRLEN);
		at += strlen(at);
		*at++ = ']';
		*at++ = ':';
	}
	*digits_put(at, end->port) = '\0';
	return text;
}
