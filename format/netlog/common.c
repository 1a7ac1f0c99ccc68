#include "format/netlog/netlog.h"

#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "format/complaint.h"
#include "format/netlog/part.h"
#include "format/netlog/text.h"
#include "format/spool.h"
#include "format/units.h"
#include "format/version.h"

static int stdout_error;

static void
help_print(const struct command *command)
{
	printf("usage: netlog %s %s\n\n%s\n%s", command->name, command->usage, command->about,
	    command->options);
	printf("      --recording ID           only connections of the recorder's run "
	       "ID\n" COMMON_HELP);
}

int
option_next(struct invocation *invocation, const char *letters, const struct option *options)
{
	char text[COMPLAINT_MAX];

	if (invocation->options_begun == false) {
		invocation->options_begun = true;
		optind =
		    0; /* getopt_long(3) starts anew, on the argv that lacks the command's name */
		opterr = 0;
	}
	for (;;) {
		int option =
		    getopt_long(invocation->argc, invocation->argv, letters, options, NULL);
		switch (option) {
		case 'h':
			help_print(invocation->command);
			return '?';
		case 'V':
			printf("netlog %s\n", VERSION_TEXT);
			return '?';
		case 'v':
			invocation->verbose++;
			break;
		case 'q':
			invocation->quiet = true;
			break;
		case OPTION_RECORDING:
			invocation->recording = optarg;
			break;
		case '?':
		case ':':
			invocation->status = usage_error(invocation, "%s",
			    text_name(option_complaint(option, invocation->argv, options, text)));
			return '?';
		default:
			return option;
		}
	}
}

int
option_time(struct invocation *invocation, const char *name, const char *text, int64_t *time)
{
	if (units_parse_time(text, time) == 0)
		return 0;
	invocation->status = usage_error(
	    invocation, "%s: %s is not a time (such as 200ms, 5s, 2m)", name, text_name(text));
	return -1;
}

int
option_side(struct invocation *invocation, const char *text, int *side)
{
	if (strcmp(text, "c") == 0) {
		*side = SIDE_CLIENT;
		return 0;
	}
	if (strcmp(text, "s") == 0) {
		*side = SIDE_SERVER;
		return 0;
	}
	invocation->status =
	    usage_error(invocation, "--side: %s is neither c nor s", text_name(text));
	return -1;
}

int
usage_error(const struct invocation *invocation, const char *format, ...)
{
	char message[1024];
	va_list arguments;

	va_start(arguments, format);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it does not see va_start() */
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	warnx("%s (try netlog %s --help)", message, invocation->command->name);
	return STATUS_ERROR;
}

int
operands_collect(struct invocation *invocation, struct logset *set)
{
	size_t count = (size_t)(invocation->argc - optind);

	memset(set, 0, sizeof(*set));
	if (count == 0) {
		invocation->status = usage_error(invocation, "no log given");
		return -1;
	}
	if (logset_collect(set, invocation->argv + optind, count, invocation->recording) != 0) {
		warnx("%s", set->error);
		invocation->status = STATUS_ERROR;
		return -1;
	}
	if (set->count == 0) {
		warnx("no log is left of the %zu connections that the index knows", set->missing);
		invocation->status = STATUS_ERROR;
		return -1;
	}
	for (size_t i = 0; i < set->count; i++)
		if (set->items[i].behind_gap)
			warnx("%s: parts before it are missing: it is taken for a log of its own",
			    text_name(set->items[i].name));
	return 0;
}

int
operands_spool(struct logset *set)
{
	if (spool_streams(set) == 0)
		return 0;
	warnx("%s", set->error);
	return -1;
}

struct reader *
log_open(const struct logset_item *item)
{
	struct reader *reader = logset_reader(item);

	if (reader == NULL)
		warn("%s", text_name(item->name));
	return reader;
}

int
log_status(enum reader_status status, int error)
{
	if (status == READER_END)
		return STATUS_OK;
	return status == READER_FAILED && error != EILSEQ ? STATUS_ERROR : STATUS_NO;
}

int
log_finished(const struct logset_item *item, struct reader *reader, enum reader_status status)
{
	if (status != READER_END)
		warnx("%s", part_message(item, reader_part(reader), reader_message(reader)));
	return log_status(status, reader_error(reader));
}

int
status_worse(int one, int other)
{
	return one > other ? one : other;
}

bool
stdout_broken(void)
{
	if (ferror(stdout) && stdout_error == 0)
		stdout_error = errno != 0 ? errno : EIO;
	return stdout_error != 0;
}

void
stdout_flush(void)
{
	(void)fflush(stdout);
	(void)stdout_broken();
}

int
stdout_finish(void)
{
	if (!stdout_broken() && fflush(stdout) != 0)
		stdout_error = errno;
	/* some file systems tell a full disk only now */
	if (fclose(stdout) != 0 && stdout_error == 0)
		stdout_error = errno;
	if (stdout_error == 0)
		return STATUS_OK;
	if (stdout_error != EPIPE)
		warnx("standard output: %s", strerror(stdout_error));
	return STATUS_ERROR;
}
