#include "format/packet_link.h"

/* LINKTYPE_ values as in files, and DLT_ values where the two differ:
 * https://www.tcpdump.org/linktypes.html */
enum {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_PPP = 9,
	LINK_RAW_DLT = 12,
	LINK_RAW_DLT_OPENBSD = 14,
	LINK_PPP_SERIAL = 50,
	LINK_PPP_ETHER = 51,
	LINK_RAW = 101,
	LINK_LOOP = 108,
	LINK_COOKED = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_COOKED_2 = 276
};

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_VLAN = 0x8100,
	TYPE_IPV6 = 0x86dd,
	TYPE_PPPOE = 0x8864,
	TYPE_VLAN_SERVICE = 0x88a8,
	TYPE_VLAN_OLD = 0x9100
};

enum { PPP_IPV4 = 0x21, PPP_IPV6 = 0x57 };

bool
packet_link_known(int link)
{
	switch (link) {
	case LINK_NULL:
	case LINK_ETHERNET:
	case LINK_PPP:
	case LINK_RAW_DLT:
	case LINK_RAW_DLT_OPENBSD:
	case LINK_PPP_SERIAL:
	case LINK_PPP_ETHER:
	case LINK_RAW:
	case LINK_LOOP:
	case LINK_COOKED:
	case LINK_IPV4:
	case LINK_IPV6:
	case LINK_COOKED_2:
		return true;
	default:
		return false;
	}
}

/* PPP's protocol field, which may be one byte, behind address and control, which may be left out
 * (RFC 1661, section 2; RFC 1662, section 3.1). */
static enum packet_status
ppp_strip(struct packet_view *view)
{
	const uint8_t *at;
	unsigned protocol;

	if (view->left >= 2 && view->at[0] == 0xff && view->at[1] == 0x03)
		(void)view_take(view, 2);
	at = view_take(view, 1);
	if (at == NULL)
		return PACKET_CUT;
	protocol = *at;
	if ((protocol & 1) == 0) {
		at = view_take(view, 1);
		if (at == NULL)
			return PACKET_CUT;
		protocol = protocol << 8 | *at;
	}
	return protocol == PPP_IPV4 || protocol == PPP_IPV6 ? PACKET_SEGMENT : PACKET_OTHER;
}

/* RFC 2516, section 4. */
static enum packet_status
pppoe_strip(struct packet_view *view)
{
	const uint8_t *header = view_take(view, 6);

	if (header == NULL)
		return PACKET_CUT;
	if (header[0] != 0x11)
		return PACKET_BAD;
	if (header[1] != 0) /* discovery */
		return PACKET_OTHER;
	if (view_16(header + 4) < view->wire)
		view_limit(view, view_16(header + 4));
	return ppp_strip(view);
}

static enum packet_status
ethertype_strip(unsigned type, struct packet_view *view)
{
	while (type == TYPE_VLAN || type == TYPE_VLAN_SERVICE || type == TYPE_VLAN_OLD) {
		const uint8_t *tag = view_take(view, 4);
		if (tag == NULL)
			return PACKET_CUT;
		type = view_16(tag + 2);
	}
	if (type == TYPE_PPPOE)
		return pppoe_strip(view);
	return type == TYPE_IPV4 || type == TYPE_IPV6 ? PACKET_SEGMENT : PACKET_OTHER;
}

/* A header of `size` bytes with an Ethernet type at `place`. */
static enum packet_status
typed_strip(struct packet_view *view, size_t size, size_t place)
{
	const uint8_t *header = view_take(view, size);

	return header == NULL ? PACKET_CUT : ethertype_strip(view_16(header + place), view);
}

/* A protocol family as 32 bits, in the byte order of whoever captured: AF_INET, and AF_INET6 as
 * several systems have it. */
static enum packet_status
family_strip(struct packet_view *view)
{
	const uint8_t *header = view_take(view, 4);
	uint32_t family;

	if (header == NULL)
		return PACKET_CUT;
	family = view_32(header);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	switch (family) {
	case 2:
	case 10:
	case 23:
	case 24:
	case 28:
	case 30:
		return PACKET_SEGMENT;
	default:
		return PACKET_OTHER;
	}
}

enum packet_status
packet_link_strip(int link, struct packet_view *view)
{
	switch (link) {
	case LINK_ETHERNET:
		return typed_strip(view, 14, 12);
	case LINK_COOKED:
		return typed_strip(view, 16, 14);
	case LINK_COOKED_2:
		return typed_strip(view, 20, 0);
	case LINK_NULL:
	case LINK_LOOP:
		return family_strip(view);
	case LINK_PPP:
	case LINK_PPP_SERIAL:
		return ppp_strip(view);
	case LINK_PPP_ETHER:
		return pppoe_strip(view);
	case LINK_RAW:
	case LINK_RAW_DLT:
	case LINK_RAW_DLT_OPENBSD:
	case LINK_IPV4:
	case LINK_IPV6:
		return PACKET_SEGMENT;
	default:
		return PACKET_OTHER;
	}
}
