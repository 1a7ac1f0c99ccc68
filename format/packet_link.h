/* What lies between a captured packet's first byte and its IP header. Private to packet*.c. */
#ifndef FORMAT_PACKET_LINK_H
#define FORMAT_PACKET_LINK_H

#include "format/packet.h"
#include "format/packet_view.h"

/* Pass over the link layer's headers, tags and PPPoE included. Returns PACKET_SEGMENT with `view`
 * at an IP header of version 4 or 6, else PACKET_OTHER, PACKET_CUT or PACKET_BAD. */
enum packet_status packet_link_strip(int link, struct packet_view *view);

#endif
