#include "netmirror/sniffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_LIBPCAP
#include <pcap/pcap.h>

#include "net/notice.h"

#define SNAPSHOT 262144 /* larger than any packet, also those put together by the network card */
#define BLOCK_TIME 2	/* milliseconds until a block that is not full is handed over */
#define BATCH 256	/* packets taken in a round, so that nothing else is starved */

struct sniffer {
	struct sniffer_config config;
	pcap_t *pcap;
	int link;
	struct watch watch;
	uint64_t dropped;
	uint32_t last[2]; /* what the kernel last told, which wraps */
};

static void
sniffer_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes)
{
	struct sniffer *sniffer = (struct sniffer *)(void *)user;
	struct packet packet = {.link = sniffer->link,
	    .time = (int64_t)header->ts.tv_sec * 1000000000 + header->ts.tv_usec,
	    .bytes = bytes,
	    .captured = header->caplen,
	    .length = header->len};

	sniffer->config.packet(sniffer->config.context, &packet);
}

static void
sniffer_ready(struct watch *watch, short events)
{
	struct sniffer *sniffer = CONTAINER_OF(watch, struct sniffer, watch);

	(void)events;
	if (pcap_dispatch(sniffer->pcap, BATCH, sniffer_packet, (u_char *)sniffer) >= 0)
		return;
	notice(NOTICE_ERROR, "capture ends: %s", pcap_geterr(sniffer->pcap));
	loop_unwatch(sniffer->config.loop, watch);
}

static int
sniffer_fail(struct sniffer *sniffer, int status, char *error)
{
	const char *text = pcap_geterr(sniffer->pcap);

	snprintf(error, SNIFFER_ERROR_MAX, "%s", text[0] != '\0' ? text : pcap_statustostr(status));
	return -1;
}

static int
sniffer_filter(struct sniffer *sniffer, char *error)
{
	struct bpf_program program;
	int status;

	if (pcap_compile(
		sniffer->pcap, &program, sniffer->config.filter, 1, PCAP_NETMASK_UNKNOWN) != 0)
		return sniffer_fail(sniffer, 0, error);
	status = pcap_setfilter(sniffer->pcap, &program);
	pcap_freecode(&program);
	return status == 0 ? 0 : sniffer_fail(sniffer, status, error);
}

static int
sniffer_activate(struct sniffer *sniffer, char *error)
{
	const struct sniffer_config *config = &sniffer->config;
	pcap_t *pcap = sniffer->pcap;
	char text[PCAP_ERRBUF_SIZE];
	int status;

	pcap_set_snaplen(pcap, SNAPSHOT);
	pcap_set_promisc(pcap, config->promiscuous);
	/* Packets come in blocks, of as many as fit: in immediate mode each would take the room of
	 * the largest there can be. */
	pcap_set_timeout(pcap, BLOCK_TIME);
	pcap_set_buffer_size(pcap, config->buffer < INT32_MAX ? (int)config->buffer : INT32_MAX);
	pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
	status = pcap_activate(pcap);
	if (status < 0)
		return sniffer_fail(sniffer, status, error);
	sniffer->link = pcap_datalink(pcap);
	if (!packet_link_known(sniffer->link)) {
		snprintf(error, SNIFFER_ERROR_MAX, "packets of link type %d are not understood",
		    sniffer->link);
		return -1;
	}
	if (pcap_setnonblock(pcap, 1, text) == -1) {
		snprintf(error, SNIFFER_ERROR_MAX, "%s", text);
		return -1;
	}
	return sniffer_filter(sniffer, error);
}

struct sniffer *
sniffer_open(const struct sniffer_config *config, char error[SNIFFER_ERROR_MAX])
{
	struct sniffer *sniffer = calloc(1, sizeof(*sniffer));
	char text[PCAP_ERRBUF_SIZE] = "out of memory";

	if (sniffer != NULL)
		sniffer->pcap = pcap_create(config->interface, text);
	if (sniffer == NULL || sniffer->pcap == NULL) {
		snprintf(error, SNIFFER_ERROR_MAX, "%s", text);
		free(sniffer);
		return NULL;
	}
	sniffer->config = *config;
	watch_init(&sniffer->watch, -1, sniffer_ready);
	if (sniffer_activate(sniffer, error) == 0) {
		sniffer->watch.fd = pcap_get_selectable_fd(sniffer->pcap);
		if (loop_watch(config->loop, &sniffer->watch, POLLIN) == 0)
			return sniffer;
		snprintf(error, SNIFFER_ERROR_MAX, "it cannot be waited for");
	}
	sniffer_free(sniffer);
	return NULL;
}

void
sniffer_pause(struct sniffer *sniffer, bool pause)
{
	loop_watch(sniffer->config.loop, &sniffer->watch, pause ? 0 : POLLIN);
}

uint64_t
sniffer_dropped(struct sniffer *sniffer)
{
	struct pcap_stat now;

	if (pcap_stats(sniffer->pcap, &now) == 0) {
		sniffer->dropped += (uint32_t)(now.ps_drop - sniffer->last[0]);
		sniffer->dropped += (uint32_t)(now.ps_ifdrop - sniffer->last[1]);
		sniffer->last[0] = now.ps_drop;
		sniffer->last[1] = now.ps_ifdrop;
	}
	return sniffer->dropped;
}

void
sniffer_free(struct sniffer *sniffer)
{
	if (sniffer == NULL)
		return;
	loop_unwatch(sniffer->config.loop, &sniffer->watch);
	pcap_close(sniffer->pcap);
	free(sniffer);
}

#else /* without libpcap */

struct sniffer *
sniffer_open(const struct sniffer_config *config, char error[SNIFFER_ERROR_MAX])
{
	(void)config;
	snprintf(error, SNIFFER_ERROR_MAX, "this program was built without libpcap");
	return NULL;
}

void
sniffer_pause(struct sniffer *sniffer, bool pause)
{
	(void)sniffer;
	(void)pause;
}

uint64_t
sniffer_dropped(struct sniffer *sniffer)
{
	(void)sniffer;
	return 0;
}

void
sniffer_free(struct sniffer *sniffer)
{
	(void)sniffer;
}

#endif
