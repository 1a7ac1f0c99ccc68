#include "format/netlog/netlog.h"

#include <err.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/capture_read.h"
#include "format/netlog/import_log.h"
#include "format/netlog/text.h"
#include "format/packet.h"
#include "format/reassembly.h"

struct import {
	char name[PATH_MAX]; /* of the capture, as messages call it */
	bool quiet;
	struct import_root *root;
	bool begun;	   /* a packet was read */
	int64_t base;	   /* zero of the times of logs that begin now: the first packet, or the
			    * start of a connection that is older */
	uint64_t cut, bad; /* packets */
};

/* A connection's own things: its log, the zero of its times, and what its end will say. */
struct session {
	struct import_log *log;
	int64_t base;
	char end[INDEX_END_MAX];
	enum side gap_side;
	uint64_t gap_offset, gap_size;
};

/* What is known of a connection at its beginning and its end; `base` is the zero of its times. */
static struct index_entry
stream_entry(const struct tcp_stream *stream, int64_t base)
{
	struct index_entry entry = {
	    .start = stream->start, .time = stream->start - base, .midway = !stream->begun};

	packet_end_format(&stream->ends[SIDE_CLIENT], entry.client);
	packet_end_format(&stream->ends[SIDE_SERVER], entry.server);
	return entry;
}

static void
record_append(struct import *import, struct session *session, enum side side, enum record_type type,
    int64_t time)
{
	import_log_append(import->root, session->log,
	    &(struct record){.side = side, .type = type, .time = time - session->base}, NULL);
}

static void
stream_open(void *context, struct tcp_stream *stream, int64_t time)
{
	struct import *import = context;
	struct session *session = calloc(1, sizeof(*session));
	struct index_entry entry;

	stream->ignored = true;
	if (session == NULL) {
		warn(NULL);
		return;
	}
	/* as in captures that were joined in the wrong order; all logs of a run have one zero */
	if (stream->start < import->base) {
		import->base = stream->start;
		import_root_new_run(import->root);
	}
	session->base = import->base;
	entry = stream_entry(stream, session->base);
	session->log = import_log_open(import->root, &entry);
	if (session->log == NULL) {
		free(session);
		return;
	}
	stream->ignored = false;
	stream->user = session;
	record_append(import, session, SIDE_CLIENT, RECORD_CON, time);
}

static void
stream_data(void *context, struct tcp_stream *stream, enum side side, const uint8_t *data,
    size_t size, int64_t time)
{
	struct import *import = context;
	const struct session *session = stream->user;

	import_log_append(import->root, session->log,
	    &(struct record){
		.side = side, .type = RECORD_DATA, .time = time - session->base, .size = size},
	    data);
}

static void
end_append(struct import *import, struct tcp_stream *stream, enum side side, enum record_type type,
    int64_t time)
{
	struct session *session = stream->user;

	record_append(import, session, side, type, time);
	snprintf(
	    session->end, sizeof(session->end), "%c %s", side_letter(side), record_type_name(type));
}

static void
stream_eof(void *context, struct tcp_stream *stream, enum side side, int64_t time)
{
	end_append(context, stream, side, RECORD_HUP, time);
}

static void
stream_reset(void *context, struct tcp_stream *stream, enum side side, int64_t time)
{
	end_append(context, stream, side, RECORD_ERR, time);
}

static void
stream_gap(void *context, struct tcp_stream *stream, enum side side, uint64_t offset, uint64_t size,
    int64_t time)
{
	struct import *import = context;
	struct session *session = stream->user;

	end_append(import, stream, side, RECORD_ERR, time);
	session->gap_side = side;
	session->gap_offset = offset;
	session->gap_size = size;
	if (!import->quiet)
		warnx("%s: gap: %" PRIu64 " bytes that the %s sent are missing behind its first "
		      "%" PRIu64,
		    import_log_name(import->root, session->log), size,
		    side == SIDE_CLIENT ? "client" : "server", offset);
	import_log_finish(import->root, session->log);
}

static void
stream_end(void *context, struct tcp_stream *stream, enum stream_end end, int64_t time)
{
	struct import *import = context;
	struct session *session = stream->user;
	struct index_entry entry;

	if (session == NULL)
		return;
	entry = stream_entry(stream, session->base);
	entry.closed = true;
	entry.duration = time - stream->start;
	entry.connect = stream->accepted < 0 ? -1 : stream->accepted - stream->start;
	memcpy(entry.bytes, stream->bytes, sizeof(entry.bytes));
	entry.lost = stream->lost;
	entry.gap_side = session->gap_side;
	entry.gap_offset = session->gap_offset;
	entry.gap_size = session->gap_size;
	if (end == STREAM_REFUSED)
		strlcpy(entry.end, "refused", sizeof(entry.end));
	else if (end == STREAM_UNFINISHED || end == STREAM_EVICTED)
		strlcpy(entry.end, "killed", sizeof(entry.end));
	else
		strlcpy(entry.end, session->end, sizeof(entry.end));
	import_log_close(import->root, session->log, &entry);
	free(session);
}

static const struct reassembly_ops import_ops = {
    stream_open, stream_data, stream_eof, stream_reset, stream_gap, stream_end};

/* Read the capture to its end, or to where it is damaged. Returns an exit status. */
static int
packets_read(struct import *import, struct capture *capture, struct packet_decoder *decoder,
    struct reassembly *reassembly)
{
	struct packet packet;
	struct packet_segment segment;
	int result = 0;

	while (!import_root_failed(import->root) && (result = capture_next(capture, &packet)) > 0) {
		if (!import->begun)
			import->base = packet.time;
		import->begun = true;
		switch (packet_decode(decoder, &packet, &segment)) {
		case PACKET_SEGMENT:
			reassembly_add(reassembly, &segment, packet.time);
			break;
		case PACKET_CUT:
			import->cut++;
			break;
		case PACKET_BAD:
			import->bad++;
			break;
		case PACKET_OTHER:
		case PACKET_FRAGMENT:
			break;
		}
	}
	reassembly_finish(reassembly);
	if (result >= 0)
		return STATUS_OK;
	warnx("%s: %s", import->name, text_name(capture_message(capture)));
	return STATUS_NO;
}

static void
count_tell(const struct import *import, uint64_t count, const char *what)
{
	if (count > 0)
		warnx("%s: %" PRIu64 " %s", import->name, count, what);
}

/* Say what the capture lacks. Returns an exit status. */
static int
summary_tell(const struct import *import, const struct packet_decoder *decoder,
    const struct reassembly *reassembly)
{
	const struct reassembly_counters *counters = reassembly_counters(reassembly);
	uint64_t fragments = packet_fragments_lost(decoder, true);

	if (counters->streams == 0) {
		warnx("%s: no TCP connection in it", import->name);
		return STATUS_NO;
	}
	if (!import->quiet)
		count_tell(import, counters->not_begun,
		    "connections had begun before the capture: who is the client is a guess");
	count_tell(import, counters->gaps, "connections end at a gap");
	count_tell(import, counters->late,
	    "bytes are in no log: they came behind the end of their connection, or are far from "
	    "where it stood");
	count_tell(
	    import, counters->evicted, "connections left unfinished: too many were open at a time");
	count_tell(import, fragments, "IP packets lack fragments");
	count_tell(import, import->cut, "packets were captured without all of their headers");
	count_tell(import, import->bad, "packets have headers that cannot be right");
	/* what is late was on its way when its connection ended: nobody got it */
	uint64_t lacking =
	    counters->gaps + counters->evicted + fragments + import->cut + import->bad;
	return lacking > 0 ? STATUS_NO : STATUS_OK;
}

static int
capture_import(struct import *import, struct capture *capture)
{
	const struct reassembly_config config = {.ops = &import_ops, .context = import};
	struct packet_decoder *decoder = packet_decoder_new();
	struct reassembly *reassembly = reassembly_new(&config);
	int status = STATUS_ERROR;

	if (decoder == NULL || reassembly == NULL) {
		warn(NULL);
		goto release;
	}
	status = packets_read(import, capture, decoder, reassembly);
	status = status_worse(status, summary_tell(import, decoder, reassembly));
release:
	reassembly_free(reassembly);
	packet_decoder_free(decoder);
	return status;
}

/* The logroot where none is given: the capture's name without its directory and suffixes. */
static char *
root_default(const char *path)
{
	static const char *const suffixes[] = {".gz", ".pcap", ".pcapng", ".cap"};
	const char *base = strrchr(path, '/');
	char *root = strdup(base == NULL ? path : base + 1);

	for (size_t i = 0; root != NULL && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t length = strlen(root), suffix = strlen(suffixes[i]);
		if (length > suffix && strcmp(root + length - suffix, suffixes[i]) == 0)
			root[length - suffix] = '\0';
	}
	return root;
}

static int
import_to(struct import *import, struct capture *capture, const char *root, bool gzip)
{
	int status;

	import->root = import_root_open(root, gzip);
	if (import->root == NULL)
		return STATUS_ERROR;
	status = capture_import(import, capture);
	return status_worse(status, import_root_close(import->root));
}

static int
import_file(
    struct import *import, const char *path, const char *filter, const char *root, bool gzip)
{
	char error[CAPTURE_ERROR_MAX];
	struct capture *capture = capture_open(path, error);
	char *own = root == NULL ? root_default(path) : NULL;
	int status = STATUS_ERROR;

	strlcpy(import->name, text_name(path), sizeof(import->name));
	if (capture == NULL)
		warnx("%s: %s", import->name, text_name(error));
	else if (filter != NULL && capture_filter(capture, filter) != 0)
		warnx("--filter: %s", text_name(capture_message(capture)));
	else if (root == NULL && own == NULL)
		warn(NULL);
	else
		status = import_to(import, capture, root != NULL ? root : own, gzip);
	capture_free(capture);
	free(own);
	return status;
}

static int
import_run(struct invocation *invocation)
{
	static const struct option options[] = {{"filter", required_argument, NULL, 'F'},
	    {"gzip", no_argument, NULL, 'z'}, COMMON_OPTIONS};
	struct import import = {.root = NULL};
	const char *filter = NULL;
	bool gzip = false;
	int option, count;
	char **operands;

	while ((option = option_next(invocation, ":F:z" COMMON_LETTERS, options)) != -1) {
		if (option == '?')
			return invocation->status;
		if (option == 'F')
			filter = optarg;
		else
			gzip = true;
	}
	import.quiet = invocation->quiet;
	operands = invocation->argv + optind;
	count = invocation->argc - optind;
	if (count == 0)
		return usage_error(invocation, "no capture given");
	if (count > 2)
		return usage_error(invocation, "too many operands: %s", text_name(operands[2]));
	if (count == 1 && strcmp(operands[0], "-") == 0)
		return usage_error(invocation, "no logroot given for standard input");
	return import_file(&import, operands[0], filter, count > 1 ? operands[1] : NULL, gzip);
}

const struct command import_command = {
    .name = "import",
    .summary = "make logs of a packet capture",
    .usage = "[options] capture [logroot]",
    .about = "Make logs of a packet capture. The logroot is continued if it has logs already;\n"
	     "by default it is the capture's name without suffix, in the current directory.\n",
    .options = "  -F, --filter EXPR            take only packets that match, pcap-filter(7)\n"
	       "  -z, --gzip                   write .gz logs\n",
    .run = import_run,
};
