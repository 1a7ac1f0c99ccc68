/* Live packets of an interface, through libpcap and a kernel filter. Built without libpcap,
 * sniffer_open() says so. */
#ifndef NETMIRROR_SNIFFER_H
#define NETMIRROR_SNIFFER_H

#include "format/packet.h"
#include "net/loop.h"

#define SNIFFER_ERROR_MAX 512

struct sniffer;

struct sniffer_config {
	struct loop *loop;
	const char *interface; /* "any": all of them */
	const char *filter;    /* pcap-filter(7) */
	size_t buffer;	       /* of the kernel, in bytes */
	bool promiscuous;      /* also packets for other machines */
	/* A packet has come, lent. */
	void (*packet)(void *context, const struct packet *packet);
	void *context;
};

/* Begin to capture; the configuration's strings are lent for the call. Returns NULL, and says why
 * in `error`. */
struct sniffer *sniffer_open(const struct sniffer_config *config, char error[SNIFFER_ERROR_MAX]);

/* Take no packets for now: the kernel keeps them, and drops what it has no room for. */
void sniffer_pause(struct sniffer *sniffer, bool pause);

/* Packets that the kernel or the interface has dropped so far. */
uint64_t sniffer_dropped(struct sniffer *sniffer);

/* NULL is harmless. */
void sniffer_free(struct sniffer *sniffer);

#endif
