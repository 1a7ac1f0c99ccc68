/* What capture.c (packets, time, life), captured.c (its connections) and capture_input.c (where
 * packets come from) know of a capture. Private to them. */
#ifndef NETMIRROR_CAPTURE_PRIVATE_H
#define NETMIRROR_CAPTURE_PRIVATE_H

#include "format/capture_read.h"
#include "format/reassembly.h"
#include "netmirror/capture.h"
#include "netmirror/sniffer.h"

struct mirror_capture {
	struct capture_config config;
	struct packet_decoder *decoder;
	struct reassembly *reassembly;
	LIST_HEAD(, captured) all;
	size_t count;
	size_t blocked; /* connections whose recording holds the capture back */
	bool draining;	/* connections that begin are passed over */
	struct own_set own;
	int64_t begun;		     /* when, by the loop's clock */
	int64_t shift;		     /* from packets' times to the loop's */
	struct timer tick;	     /* live: what has been waited for too long, what was dropped */
	uint64_t dropped;	     /* by the kernel, as counted so far */
	int64_t told;		     /* when the user was last told */
	struct notice_ration ration; /* of words about gaps */
	/* capture_input.c's */
	struct sniffer **sniffers;
	size_t sniffer_count;
	struct capture *file;
	struct timer read; /* of the file: go on */
	bool paused;
	bool ended;	    /* the file has */
	bool damaged;	    /* where it could not be read any further */
	int64_t wait_until; /* for observers that have not ended yet; 0: not waiting */
};

/* One captured connection. */
struct captured {
	struct tap tap;
	struct mirror_capture *capture;
	struct tcp_stream *stream;
	bool server_ended;
	bool blocked;	  /* an observer's ready() said no */
	struct task task; /* kill, or release when closed */
	LIST_ENTRY(captured) all;
};

static inline struct loop *
capture_loop(const struct mirror_capture *capture)
{
	return capture->config.common->front->service.loop;
}

static inline struct metrics *
capture_metrics(const struct mirror_capture *capture)
{
	return &capture->config.common->front->metrics;
}

/* captured.c */

/* What the reassembly tells; its context is the capture. */
extern const struct reassembly_ops captured_ops;

/* What time it is, by the loop's clock, for a connection of which no packet tells. */
int64_t captured_now(const struct captured *captured);

/* Tell its observers, and release it after the round. */
void captured_close(struct captured *captured, enum close_reason reason, int64_t time);

/* capture.c */

void capture_take(struct mirror_capture *capture, const struct packet *packet);
void capture_end_of_file(struct mirror_capture *capture);

/* capture_input.c */

/* Returns -1 after telling the user why. */
int capture_input_open(struct mirror_capture *capture);
void capture_input_pause(struct mirror_capture *capture, bool pause);

/* Packets that the kernel has dropped. */
uint64_t capture_input_dropped(struct mirror_capture *capture);
void capture_input_close(struct mirror_capture *capture);

#endif
