#include "format/netlog/traced.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "format/netlog/text.h"
#include "format/times.h"

#define CLIENT_PORTS 16384 /* from that of SEGMENT_CLIENT on */

/* One connection whose log has not ended, or that the server has not answered. */
struct connection {
	struct segment segment;
	size_t item;
	bool ended;    /* its log has */
	bool left_out; /* that was said */
	bool pending;  /* the server answers at `due` */
	bool refused;  /* it says no */
	int64_t due;
	TAILQ_ENTRY(connection) next;
};

struct traced {
	const struct logset *set;
	struct timeline *timeline;
	struct traced_config config;
	struct segment_peer defaults[2];
	struct segment_peers peers;
	struct connection **connections;		 /* by item, NULL: none */
	TAILQ_HEAD(connection_list, connection) pending; /* in the order of `due` */
	size_t left_out;
};

struct traced *
traced_new(const struct logset *set, struct timeline *timeline, const struct traced_config *config)
{
	struct traced *traced = calloc(1, sizeof(*traced));

	if (traced == NULL)
		return NULL;
	traced->set = set;
	traced->timeline = timeline;
	traced->config = *config;
	TAILQ_INIT(&traced->pending);
	(void)segment_peer_parse(SEGMENT_CLIENT, &traced->defaults[SIDE_CLIENT]);
	(void)segment_peer_parse(SEGMENT_SERVER, &traced->defaults[SIDE_SERVER]);
	traced->connections = calloc(set->count + 1, sizeof(struct connection *));
	if (traced->connections == NULL) {
		free(traced);
		return NULL;
	}
	return traced;
}

static void
connection_free(struct traced *traced, struct connection *connection)
{
	if (connection->pending)
		TAILQ_REMOVE(&traced->pending, connection, next);
	traced->connections[connection->item] = NULL;
	free(connection);
}

void
traced_free(struct traced *traced)
{
	if (traced == NULL)
		return;
	for (size_t i = 0; i < traced->set->count; i++)
		if (traced->connections[i] != NULL)
			connection_free(traced, traced->connections[i]);
	segment_peers_release(&traced->peers);
	free(traced->connections);
	free(traced);
}

size_t
traced_left_out(const struct traced *traced)
{
	return traced->left_out;
}

const char *
traced_name(const struct traced *traced, size_t item)
{
	const char *name = traced->set->items[item].name, *slash = strrchr(name, '/');

	return slash != NULL ? slash + 1 : name;
}

/* -- where a connection was -- */

/* The address of one side: what the options say, then the index, then the default. Returns the name
 * for it, NULL: it has none of its own. */
static const char *
peer_find(const struct traced *traced, size_t item, enum side side, struct segment_peer *peer)
{
	static const char *const names[] = {"client", "server"};
	const struct logset_item *log = &traced->set->items[item];
	const char *text = side == SIDE_CLIENT ? log->entry.client : log->entry.server;
	struct segment_peer known, defaults = traced->defaults[side];

	if (side == SIDE_CLIENT && log->n > 0)
		defaults.port = (uint16_t)(defaults.port + (log->n - 1) % CLIENT_PORTS);
	*peer = traced->config.peers[side];
	if (log->indexed && segment_peer_parse(text, &known) == NULL)
		segment_peer_complete(peer, &known);
	if (peer->size != 0) {
		segment_peer_complete(peer, &defaults);
		return NULL;
	}
	segment_peer_complete(peer, &defaults);
	if (log->indexed && strncmp(text, "unix:/", 6) == 0)
		return text_name(text);
	return names[side];
}

/* Find both ends' addresses and name them. Returns 0, or -1 with errno. */
static int
peers_find(struct traced *traced, size_t item, struct segment_peer peers[2], bool *changed)
{
	const char *names[2];

	for (int i = 0; i < 2; i++)
		names[i] = peer_find(traced, item, (enum side)i, &peers[i]);
	segment_peers_join(peers);
	if (segment_peers_enter(&traced->peers, peers, changed) != 0)
		return -1;
	for (int i = 0; i < 2; i++)
		if (segment_peers_name(
			&traced->peers, traced->config.writer, &peers[i], names[i]) != 0)
			return -1;
	return 0;
}

/* -- the server's answer to the client's wish -- */

/*
 * When the server accepted or refused. Only the index of a closed connection knows; else it
 * accepted at once, but a log of nothing but its first record is that of a server that never did.
 */
static void
answer_plan(const struct traced *traced, struct connection *connection, int64_t clock, bool alone)
{
	const struct logset_item *log = &traced->set->items[connection->item];
	const struct index_entry *entry = &log->entry;

	connection->pending = true;
	connection->due = clock;
	if (!log->indexed) {
		connection->refused = alone;
	} else if (entry->closed && entry->connect >= 0) {
		connection->due = times_add(clock, entry->connect);
	} else if (entry->closed && alone) {
		connection->refused = true;
		connection->due = times_add(clock, entry->duration > 0 ? entry->duration : 0);
		connection->pending = strcmp(entry->end, "refused") == 0;
	}
}

static void
pending_insert(struct traced *traced, struct connection *connection)
{
	struct connection *before = TAILQ_LAST(&traced->pending, connection_list);

	while (before != NULL && before->due > connection->due)
		before = TAILQ_PREV(before, connection_list, next);
	if (before != NULL)
		TAILQ_INSERT_AFTER(&traced->pending, before, connection, next);
	else
		TAILQ_INSERT_HEAD(&traced->pending, connection, next);
}

/* Write the answers that are due by then. */
static int
pending_answer(struct traced *traced, int64_t until)
{
	struct connection *connection;

	while ((connection = TAILQ_FIRST(&traced->pending)) != NULL &&
	       /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed was removed before */
	       connection->due <= until) {
		int result;
		TAILQ_REMOVE(&traced->pending, connection, next);
		connection->pending = false;
		if (connection->refused)
			result = segment_refuse(&connection->segment, connection->due);
		else
			result = segment_accept(&connection->segment, connection->due);
		if (result != 0)
			return -1;
		if (connection->ended)
			connection_free(traced, connection);
	}
	return 0;
}

/* -- records -- */

/* A log has begun. Returns NULL with errno. */
static struct connection *
connection_new(struct traced *traced, size_t item, bool *changed)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct segment_peer peers[2];

	if (connection == NULL)
		return NULL;
	connection->item = item;
	traced->connections[item] = connection;
	if (peers_find(traced, item, peers, changed) != 0)
		return NULL;
	segment_init(&connection->segment, traced->config.writer, peers, traced->config.mss);
	return connection;
}

/* The comment of a connection's first packet: the log's name, and what had to be changed. */
static const char *
comment_text(const struct traced *traced, size_t item, bool changed, char *text, size_t size)
{
	const struct logset_item *log = &traced->set->items[item];
	const char *name = text_name(traced_name(traced, item));

	if (!changed || !log->indexed)
		return name;
	snprintf(text, size, "%s: client %s, whose port the capture has already", name,
	    text_name(log->entry.client));
	return text;
}

static int
record_con(struct traced *traced, const struct timeline_event *event)
{
	struct record next;
	bool alone = timeline_ahead(traced->timeline, &next) == READER_END, changed;
	struct connection *connection = connection_new(traced, event->item, &changed);
	char text[CAPTURE_COMMENT_MAX];

	if (connection == NULL)
		return -1;
	if (segment_connect(&connection->segment, event->clock,
		comment_text(traced, event->item, changed, text, sizeof(text))) != 0)
		return -1;
	answer_plan(traced, connection, event->clock, alone);
	if (connection->pending)
		pending_insert(traced, connection);
	return pending_answer(traced, event->clock);
}

/* Say that a record is not in the capture. */
static void
record_leave_out(
    struct traced *traced, struct connection *connection, const struct timeline_event *event)
{
	traced->left_out++;
	if (!connection->left_out)
		warnx("%s: byte %llu: not in the capture, as no connection could do this: %c %s "
		      "after its end",
		    text_name(reader_name(event->reader)),
		    (unsigned long long)reader_offset(event->reader),
		    side_letter(event->record.side), record_type_name(event->record.type));
	connection->left_out = true;
}

static int
record_data(struct connection *connection, const struct timeline_event *event)
{
	struct segment *segment = &connection->segment;
	const unsigned char *piece;
	ssize_t size;

	if (segment_data_begin(segment, event->record.side, event->clock, event->record.size) != 0)
		return -1;
	while ((size = reader_data(event->reader, &piece)) > 0)
		if (segment_data(segment, piece, (size_t)size) != 0)
			return -1;
	return segment_data_end(segment);
}

static int
record_write(
    struct traced *traced, struct connection *connection, const struct timeline_event *event)
{
	struct segment *segment = &connection->segment;
	enum side side = event->record.side;

	if (event->record.type == RECORD_ERR && !segment->reset)
		return segment_reset(segment, side, event->clock, NULL);
	if (event->record.type == RECORD_DATA && segment_may_send(segment, side))
		return record_data(connection, event);
	if (event->record.type == RECORD_HUP && segment_may_send(segment, side))
		return segment_finish(segment, side, event->clock);
	record_leave_out(traced, connection, event);
	return 0;
}

int
traced_record(struct traced *traced, const struct timeline_event *event)
{
	struct connection *connection = traced->connections[event->item];
	struct record next;
	bool changed;
	int result;

	if (pending_answer(traced, event->clock) != 0)
		return -1;
	if (connection == NULL && event->record.type == RECORD_CON) {
		result = record_con(traced, event);
		connection = traced->connections[event->item];
	} else {
		if (connection == NULL)
			connection = connection_new(traced, event->item, &changed);
		if (connection == NULL)
			return -1;
		/* what happens shows that the server has accepted */
		if (connection->pending) {
			TAILQ_REMOVE(&traced->pending, connection, next);
			connection->pending = false;
		}
		result = record_write(traced, connection, event);
	}
	if (result != 0 || timeline_ahead(traced->timeline, &next) == READER_RECORD)
		return result;
	/* its log is over */
	connection->ended = true;
	if (!connection->pending)
		connection_free(traced, connection);
	return 0;
}

int
traced_finish(struct traced *traced)
{
	return pending_answer(traced, INT64_MAX);
}
