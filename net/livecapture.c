#include "net/livecapture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/segment.h"
#include "format/version.h"
#include "net/livecapture_output.h"
#include "net/notice.h"
#include "net/thread.h"

#define QUEUE_SIZE (64 * 1024 * 1024)
#define CONTROL_ROOM (8 * CAPTURE_OVERHEAD) /* names, handshake, ends */
#define RESERVE (64 * 1024) /* kept for the ends of connections when the queue is full */
#define PEERS_MOST 1000000  /* connections that are remembered, 16 bytes each */

struct livecapture {
	struct loop *loop;
	struct metrics *metrics;
	struct livecapture_output output;
	char *path;
	char *server_name;
	int64_t wall;		      /* what is added to loop time: the same for all packets */
	struct capture_writer writer; /* into the room of the queue reserved last */
	struct segment_peers peers;
	struct segment_peer defaults[2];
	struct task commit;
	struct notice_ration ration;
	uint64_t dropped; /* connections */
};

/* One connection. */
struct live {
	struct observer observer;
	struct livecapture *capture;
	const struct conn_info *info;
	struct segment segment;
	bool begun;   /* it is in the capture */
	bool dropped; /* it is not any more */
};

/* -- what is written: the loop's side -- */

static void
commit_run(struct task *task)
{
	struct livecapture *live = CONTAINER_OF(task, struct livecapture, commit);

	byte_queue_commit(&live->output.queue);
}

/* Everything must fit what was reserved. */
static int
writer_make_room(struct capture_writer *writer, size_t need)
{
	(void)writer;
	(void)need;
	errno = ENOBUFS;
	return -1;
}

/* Have room for packets, `spare` bytes beside. */
static bool
writer_begin(struct livecapture *live, size_t need, size_t spare)
{
	unsigned char *room = NULL;

	if (!livecapture_output_broken(&live->output))
		room = byte_queue_reserve(&live->output.queue, need + spare);
	if (room == NULL)
		return false;
	live->writer.at = room;
	live->writer.end = room + need;
	return true;
}

static void
writer_end(struct livecapture *live, const unsigned char *begin)
{
	byte_queue_add(&live->output.queue, (size_t)(live->writer.at - begin));
	loop_later(live->loop, &live->commit);
}

/* -- one connection -- */

static struct live *
live_of(struct observer *observer)
{
	return CONTAINER_OF(observer, struct live, observer);
}

/* An address as a capture can show it; NULL, or the name of what stands for it. */
static const char *
peer_of(const struct livecapture *capture, const struct address *address, enum side side,
    struct segment_peer *peer)
{
	static const char *const names[] = {"client", "server"};

	memset(peer, 0, sizeof(*peer));
	if (address->family == AF_INET || address->family == AF_INET6) {
		peer->size = address->family == AF_INET ? 4 : 16;
		peer->port = address->port;
		memcpy(peer->address, address->u.bytes, peer->size);
		return side == SIDE_SERVER ? capture->server_name : NULL;
	}
	segment_peer_complete(peer, &capture->defaults[side]);
	return names[side];
}

/* Name the connection's ends and write its first packet; the room is there. */
static int
live_connect(struct live *live)
{
	struct livecapture *capture = live->capture;
	const struct conn_info *info = live->info;
	struct segment_peer peers[2];
	const char *names[2];
	char comment[64];
	bool changed;

	names[0] = peer_of(capture, &info->client, SIDE_CLIENT, &peers[0]);
	names[1] = peer_of(capture, &info->server, SIDE_SERVER, &peers[1]);
	segment_peers_join(peers);
	if (segment_peers_enter(&capture->peers, peers, &changed) != 0)
		return -1;
	for (int i = 0; i < 2; i++)
		if (segment_peers_name(&capture->peers, &capture->writer, &peers[i], names[i]) != 0)
			return -1;
	segment_init(&live->segment, &capture->writer, peers, 0);
	snprintf(comment, sizeof(comment), "connection %" PRIu64, info->id);
	live->begun = true;
	return segment_connect(&live->segment, info->opened + capture->wall, comment);
}

/* The queue is full: the connection ends in the capture. */
static void
live_drop(struct live *live, int64_t time)
{
	struct livecapture *capture = live->capture;
	const unsigned char *begin;

	live->dropped = true;
	if (livecapture_output_broken(&capture->output))
		return;
	capture->dropped++;
	metrics_add(capture->metrics, COUNTER_CAPTURE_DROPPED, 1);
	if (notice_ration_take(&capture->ration, time))
		notice(NOTICE_WARNING,
		    "%s: its reader is too slow: connection #%" PRIu64 " ends in the capture",
		    capture->output.name, live->info->id);
	if (!live->begun || segment_is_over(&live->segment) ||
	    !writer_begin(capture, CONTROL_ROOM, 0))
		return;
	begin = capture->writer.at;
	(void)segment_reset(&live->segment, SIDE_SERVER, time + capture->wall,
	    "the reader was too slow: not captured any further");
	writer_end(capture, begin);
}

/* Enter the connection into the capture: its client has asked for it. */
static bool
live_begin(struct live *live)
{
	const unsigned char *begin;

	if (!writer_begin(live->capture, CONTROL_ROOM, RESERVE))
		return false;
	begin = live->capture->writer.at;
	if (live_connect(live) != 0)
		return false;
	writer_end(live->capture, begin);
	return true;
}

/*
 * Something happens on the connection, `size` bytes of data: have room for its packets, those of
 * its beginning written if this is the first thing. Returns where they begin; NULL: it is not
 * captured.
 */
static const unsigned char *
live_event_begin(struct live *live, size_t size, int64_t time)
{
	struct livecapture *capture = live->capture;

	if (live->dropped)
		return NULL;
	if ((live->begun || live_begin(live)) &&
	    writer_begin(capture, segment_room(&live->segment, size) + CONTROL_ROOM, RESERVE))
		return capture->writer.at;
	live_drop(live, time);
	return NULL;
}

static void
live_open(struct observer *observer, const struct conn_info *info)
{
	live_of(observer)->info = info;
}

/* Only now it is known which of the server's addresses it is. */
static void
live_connected(struct observer *observer, int64_t time)
{
	struct live *live = live_of(observer);
	const unsigned char *begin = live_event_begin(live, 0, time);

	if (begin == NULL)
		return;
	if (live->segment.connecting)
		(void)segment_accept(&live->segment, time + live->capture->wall);
	writer_end(live->capture, begin);
}

static void
live_data(struct observer *observer, enum side side, const struct slice *slice, int64_t time)
{
	struct live *live = live_of(observer);
	struct segment *segment = &live->segment;
	const unsigned char *begin = live_event_begin(live, slice->size, time);

	if (begin == NULL)
		return;
	(void)segment_data_begin(segment, side, time + live->capture->wall, slice->size);
	(void)segment_data(segment, slice->data, slice->size);
	(void)segment_data_end(segment);
	writer_end(live->capture, begin);
}

static void
live_eof(struct observer *observer, enum side side, int64_t time)
{
	struct live *live = live_of(observer);
	const unsigned char *begin = live_event_begin(live, 0, time);

	if (begin == NULL)
		return;
	(void)segment_finish(&live->segment, side, time + live->capture->wall);
	writer_end(live->capture, begin);
}

static void
live_error(struct observer *observer, enum side side, int error, int64_t time)
{
	struct live *live = live_of(observer);
	const unsigned char *begin = live_event_begin(live, 0, time);

	(void)error;
	if (begin == NULL)
		return;
	if (!live->segment.reset)
		(void)segment_reset(&live->segment, side, time + live->capture->wall, NULL);
	writer_end(live->capture, begin);
}

static void
live_close(struct observer *observer, enum close_reason reason, int64_t time)
{
	struct live *live = live_of(observer);
	const unsigned char *begin = NULL;

	if (!live->begun || reason == CLOSE_REFUSED)
		begin = live_event_begin(live, 0, time);
	if (begin != NULL) {
		if (reason == CLOSE_REFUSED && live->segment.connecting)
			(void)segment_refuse(&live->segment, time + live->capture->wall);
		writer_end(live->capture, begin);
	}
	free(live);
}

static const struct observer_ops live_ops = {
    .open = live_open,
    .connected = live_connected,
    .data = live_data,
    .eof = live_eof,
    .error = live_error,
    .close = live_close,
};

int
livecapture_attach(struct livecapture *capture, struct tap *tap)
{
	struct live *live = calloc(1, sizeof(*live));

	if (live == NULL)
		return -1;
	live->observer.ops = &live_ops;
	live->capture = capture;
	tap_add(tap, &live->observer);
	return 0;
}

/* -- life -- */

/* The file's beginning, at once: its reader may wait for it. */
static void
live_head(struct livecapture *live, const struct livecapture_config *config)
{
	char program[64];

	live->writer.make_room = writer_make_room;
	if (!writer_begin(live, 4 * CAPTURE_OVERHEAD, 0))
		return;
	const unsigned char *begin = live->writer.at;
	snprintf(program, sizeof(program), "%s %s", getprogname(), VERSION_TEXT);
	(void)capture_begin(&live->writer, program, config->comment);
	byte_queue_add(&live->output.queue, (size_t)(live->writer.at - begin));
	byte_queue_commit(&live->output.queue);
}

struct livecapture *
livecapture_new(struct loop *loop, const struct livecapture_config *config)
{
	struct livecapture *live = calloc(1, sizeof(*live));

	if (live == NULL)
		goto failed;
	live->loop = loop;
	live->metrics = config->metrics;
	live->metrics->sections |= METRICS_CAPTURE;
	live->commit.run = commit_run;
	live->wall = thread_wall_offset();
	live->peers.most = PEERS_MOST;
	(void)segment_peer_parse(SEGMENT_CLIENT, &live->defaults[SIDE_CLIENT]);
	(void)segment_peer_parse(SEGMENT_SERVER, &live->defaults[SIDE_SERVER]);
	live->path = strdup(config->path);
	if (config->server_name != NULL)
		live->server_name = strdup(config->server_name);
	if (live->path == NULL || (config->server_name != NULL && live->server_name == NULL))
		goto failed;
	if (livecapture_output_start(&live->output, live->path,
		config->queue_size > 0 ? config->queue_size : QUEUE_SIZE) == 0) {
		live_head(live, config);
		return live;
	}
	goto release;
failed:
	notice(NOTICE_ERROR, "--pcap %s: %s", config->path, strerror(errno));
release:
	livecapture_free(live);
	return NULL;
}

void
livecapture_finish(struct livecapture *live)
{
	(void)livecapture_output_finish(&live->output);
	if (live->dropped > 0)
		notice(NOTICE_WARNING, "%s: connections that end early in the capture: %" PRIu64,
		    live->output.name, live->dropped);
}

void
livecapture_free(struct livecapture *live)
{
	if (live == NULL || live->output.started)
		return;
	segment_peers_release(&live->peers);
	free(live->path);
	free(live->server_name);
	free(live);
}
