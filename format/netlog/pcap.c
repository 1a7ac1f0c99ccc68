#include "format/netlog/netlog.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/netlog/text.h"
#include "format/netlog/traced.h"
#include "format/timeline.h"
#include "format/version.h"

enum own_option { OPTION_CLIENT = OPTION_OWN, OPTION_SERVER, OPTION_MSS };

/* One run of the command. */
struct export
{
	struct invocation *invocation;
	struct logset set;
	const char *output; /* NULL: standard output */
	enum capture_format format;
	struct traced_config config;
	struct capture_file *file;
};

/* -- where it goes -- */

static bool
is_log(const struct logset *set, const struct stat *file)
{
	struct stat status;

	for (size_t i = 0; i < set->count; i++)
		for (size_t k = 0; k < set->items[i].part_count; k++)
			if (stat(set->items[i].parts[k], &status) == 0 &&
			    status.st_dev == file->st_dev && status.st_ino == file->st_ino)
				return true;
	return false;
}

/* Open the output; it holds what the logs hold, passwords too. Returns -1 after a message. */
static int
output_open(const struct export *export)
{
	const char *name = export->output;
	struct stat status;
	int fd;

	if (name == NULL && isatty(STDOUT_FILENO)) {
		warnx("standard output is a terminal (give a file with -w)");
		return -1;
	}
	if (name == NULL)
		return STDOUT_FILENO;
	/* it is only emptied once it is known to be none of the logs */
	fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd >= 0 && fstat(fd, &status) == 0) {
		if (is_log(&export->set, &status)) {
			warnx("%s: is one of the logs", text_name(name));
			close(fd);
			return -1;
		}
		if (!S_ISREG(status.st_mode) || ftruncate(fd, 0) == 0)
			return fd;
	}
	warn("%s", text_name(name));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Returns STATUS_ERROR; a reader that went away is no news. */
static int
output_failed(const struct export *export, int error)
{
	const char *name = export->output != NULL ? text_name(export->output) : "standard output";

	if (error != EPIPE)
		warnx("%s: %s", name, strerror(error));
	return STATUS_ERROR;
}

/* -- the export -- */

/* The operands as they were given: what the capture holds. Free it; NULL with errno. */
static char *
operands_text(const struct invocation *invocation)
{
	size_t size = 1;
	char *text;

	for (int i = optind; i < invocation->argc; i++)
		size += strlen(text_name(invocation->argv[i])) + 1;
	text = calloc(1, size);
	for (int i = optind; text != NULL && i < invocation->argc; i++) {
		strlcat(text, text_name(invocation->argv[i]), size);
		if (i + 1 < invocation->argc)
			strlcat(text, " ", size);
	}
	return text;
}

/* Write all records in the order of time. Returns the exit status, or -1 with errno if the output
 * failed. */
static int
export_records(const struct logset *set, struct timeline *timeline, struct traced *traced)
{
	struct timeline_event event;
	enum reader_status status;
	int result = STATUS_OK;

	while ((status = timeline_next(timeline, &event)) != READER_END) {
		if (status == READER_RECORD) {
			if (traced_record(traced, &event) != 0)
				return -1;
		} else if (event.reader == NULL) {
			warn("%s", text_name(traced_name(traced, event.item)));
			result = STATUS_ERROR;
		} else {
			result = status_worse(
			    result, log_finished(&set->items[event.item], event.reader, status));
		}
	}
	if (traced_finish(traced) != 0)
		return -1;
	return traced_left_out(traced) > 0 ? status_worse(result, STATUS_NO) : result;
}

static int
export_to(struct export *export)
{
	struct timeline *timeline = timeline_new(&export->set);
	struct traced *traced = NULL;
	char *comment = operands_text(export->invocation);
	int status = STATUS_ERROR;

	export->config.writer = capture_file_writer(export->file);
	if (timeline != NULL && comment != NULL)
		traced = traced_new(&export->set, timeline, &export->config);
	if (traced == NULL) {
		warn(NULL);
		goto release;
	}
	status = -1;
	if (capture_begin(export->config.writer, "netlog " VERSION_TEXT, comment) == 0)
		status = export_records(&export->set, timeline, traced);
	if (status < 0 || capture_file_flush(export->file) != 0)
		status = output_failed(export, errno);
release:
	traced_free(traced);
	timeline_free(timeline);
	free(comment);
	return status;
}

static int
export_run(struct export *export)
{
	int fd = output_open(export), status;

	if (fd < 0)
		return STATUS_ERROR;
	export->file = capture_file_new(fd, export->format);
	if (export->file == NULL) {
		warn(NULL);
		status = STATUS_ERROR;
	} else {
		status = export_to(export);
	}
	/* some file systems tell a full disk only now */
	if (fd != STDOUT_FILENO && close(fd) != 0 && status != STATUS_ERROR)
		status = output_failed(export, errno);
	capture_file_free(export->file);
	return status;
}

/* -- options -- */

static int
option_peer(struct export *export, const char *name, enum side side)
{
	const char *problem = segment_peer_parse(optarg, &export->config.peers[side]);

	if (problem == NULL)
		return 0;
	export->invocation->status =
	    usage_error(export->invocation, "%s: %s: %s", name, text_name(optarg), problem);
	return -1;
}

static int
option_mss(struct export *export)
{
	const char *problem;

	export->config.mss = (unsigned)strtonum(optarg, 1, SEGMENT_MSS_MAX, &problem);
	if (problem == NULL)
		return 0;
	export->invocation->status = usage_error(export->invocation,
	    "--mss: %s is no number from 1 to %d", text_name(optarg), SEGMENT_MSS_MAX);
	return -1;
}

static int
option_format(struct export *export)
{
	if (strcmp(optarg, "pcap") == 0)
		export->format = CAPTURE_PCAP;
	else if (strcmp(optarg, "pcapng") != 0) {
		export->invocation->status = usage_error(export->invocation,
		    "--format: %s is neither pcapng nor pcap", text_name(optarg));
		return -1;
	}
	return 0;
}

/* Returns 0, or -1 when the run is over. */
static int
option_take(struct export *export, int option)
{
	switch (option) {
	case 'w':
		export->output = strcmp(optarg, "-") != 0 ? optarg : NULL;
		return 0;
	case 'F':
		return option_format(export);
	case OPTION_CLIENT:
		return option_peer(export, "--client", SIDE_CLIENT);
	case OPTION_SERVER:
		return option_peer(export, "--server", SIDE_SERVER);
	case OPTION_MSS:
		return option_mss(export);
	default:
		return -1;
	}
}

static int
pcap_run(struct invocation *invocation)
{
	static const struct option options[] = {{"write", required_argument, NULL, 'w'},
	    {"format", required_argument, NULL, 'F'},
	    {"client", required_argument, NULL, OPTION_CLIENT},
	    {"server", required_argument, NULL, OPTION_SERVER},
	    {"mss", required_argument, NULL, OPTION_MSS}, COMMON_OPTIONS};
	struct export export = {.invocation = invocation, .format = CAPTURE_PCAPNG};
	int option, status;

	while ((option = option_next(invocation, ":w:F:" COMMON_LETTERS, options)) != -1) {
		if (option_take(&export, option) != 0)
			return invocation->status;
	}
	if (operands_collect(invocation, &export.set) != 0)
		status = invocation->status;
	else
		status = export_run(&export);
	logset_release(&export.set);
	return status;
}

const struct command pcap_command = {
    .name = "pcap",
    .summary = "write logs as a capture file, for Wireshark and tcpdump",
    .usage = "[options] log...",
    .about = "Write logs as a capture file, for Wireshark and tcpdump. Addresses and times are\n"
	     "those of the index. Without it clients are " SEGMENT_CLIENT ", ...:49153 and so on,\n"
	     "the server is " SEGMENT_SERVER ", and times count from 1970-01-01.\n",
    .options = "  -w, --write FILE             the capture file; standard output by default\n"
	       "  -F, --format FORMAT          pcapng (default), or classic pcap\n"
	       "      --client A               the clients' address: 192.0.2.7, 192.0.2.7:4000,\n"
	       "                               [::1]:4000 or :4000\n"
	       "      --server A               the server's\n"
	       "      --mss N                  bytes of a segment at most (1460, over IPv6 1440)\n",
    .run = pcap_run,
};
