#include "format/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/report_private.h"

static int
pending_compare(const struct report_pending *one, const struct report_pending *other)
{
	uintptr_t first = (uintptr_t)one->key, second = (uintptr_t)other->key;

	return first < second ? -1 : first > second;
}

RB_GENERATE_INTERNAL(
    report_pendings, report_pending, entry, pending_compare, __attribute__((unused)) static inline)

int
report_format_parse(const char *name, enum report_format *format)
{
	static const char *const names[] = {"text", "json", "tap", "junit"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*format = (enum report_format)i;
			return 0;
		}
	}
	return -1;
}

/* -- errors are kept until the end -- */

void
report_fail(struct report *report, int error)
{
	if (report->error == 0)
		report->error = error != 0 ? error : EIO;
}

/* Keep the error, if the last step of writing has brought one. */
static void
report_check(struct report *report)
{
	if (ferror(report->config.stream))
		report_fail(report, errno);
}

static int
report_status(const struct report *report)
{
	if (report->error == 0)
		return 0;
	errno = report->error;
	return -1;
}

/* -- buffers -- */

FILE *
report_buffer_open(struct report *report, struct report_buffer *buffer)
{
	if (buffer->stream == NULL && buffer->text == NULL) {
		buffer->stream = open_memstream(&buffer->text, &buffer->size);
		if (buffer->stream == NULL)
			report_fail(report, errno);
	}
	return buffer->stream;
}

const char *
report_buffer_read(struct report *report, struct report_buffer *buffer)
{
	if (buffer->stream != NULL) {
		bool failed = ferror(buffer->stream) != 0;
		if (fclose(buffer->stream) != 0 || failed)
			report_fail(report, ENOMEM);
		buffer->stream = NULL;
	}
	return buffer->text != NULL ? buffer->text : "";
}

void
report_buffer_release(struct report_buffer *buffer)
{
	if (buffer->stream != NULL)
		fclose(buffer->stream);
	free(buffer->text);
	*buffer = (struct report_buffer){0};
}

/* -- the account -- */

uint64_t
report_told(const struct report *report)
{
	uint64_t count = 0;

	for (int i = 0; i < 4; i++)
		count += report->told[i];
	return count;
}

struct report *
report_new(const struct report_config *config)
{
	static const struct report_ops *const formats[] = {[REPORT_TEXT] = &report_text_ops,
	    [REPORT_JSON] = &report_json_ops,
	    [REPORT_TAP] = &report_tap_ops,
	    [REPORT_JUNIT] = &report_junit_ops};
	struct report *report = calloc(1, sizeof(*report));

	if (report == NULL)
		return NULL;
	report->config = *config;
	report->ops = formats[config->format];
	if (config->show == 0)
		report->config.show = report->ops->show;
	RB_INIT(&report->pendings);
	errno = 0;
	if (report->ops->begin != NULL)
		report->ops->begin(report);
	report_check(report);
	return report;
}

static struct report_pending *
pending_find(struct report *report, const void *key)
{
	return RB_FIND(report_pendings, &report->pendings, &(struct report_pending){.key = key});
}

static struct report_pending *
pending_get(struct report *report, const void *key)
{
	struct report_pending *pending = pending_find(report, key);

	if (pending != NULL)
		return pending;
	pending = calloc(1, sizeof(*pending));
	if (pending == NULL) {
		report_fail(report, errno);
		return NULL;
	}
	pending->key = key;
	RB_INSERT(report_pendings, &report->pendings, pending);
	return pending;
}

static void
pending_free(struct report *report, struct report_pending *pending)
{
	if (pending == NULL)
		return;
	RB_REMOVE(report_pendings, &report->pendings, pending);
	report_buffer_release(&pending->details);
	free(pending);
}

/* The same in every place where the logs may lie. */
static const char *
base_name(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash != NULL && slash[1] != '\0' ? slash + 1 : name;
}

void
report_difference(struct report *report, const void *key, const char *name, enum side side,
    const struct align_difference *difference)
{
	struct report_found found = {
	    .name = base_name(name), .side = side, .difference = difference};
	struct report_pending *pending = pending_get(report, key);
	FILE *stream = report->config.stream;

	if (pending == NULL || ++pending->differences > report->config.show)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it is in the tree */
		return;
	if (!report->ops->immediate)
		stream = report_buffer_open(report, &pending->details);
	if (stream == NULL)
		return;
	found.number = pending->differences;
	errno = 0;
	report->ops->difference(report, stream, &found);
	report_check(report);
}

int
report_connection(struct report *report, const struct report_connection *connection)
{
	struct report_pending *pending = pending_find(report, connection->key);
	struct report_connection told = *connection;
	const char *details = "";

	told.name = base_name(connection->name);
	if (pending != NULL)
		details = report_buffer_read(report, &pending->details);
	errno = 0;
	report->ops->connection(
	    report, &told, details, pending != NULL ? pending->details.size : 0);
	report_check(report);
	report->told[connection->result]++;
	pending_free(report, pending);
	return report_status(report);
}

int
report_end(struct report *report, const struct report_summary *summary)
{
	errno = 0;
	report->ops->end(report, summary);
	report_check(report);
	if (fflush(report->config.stream) != 0)
		report_fail(report, errno);
	return report_status(report);
}

void
report_free(struct report *report)
{
	struct report_pending *pending;

	if (report == NULL)
		return;
	while ((pending = RB_MIN(report_pendings, &report->pendings)) != NULL)
		pending_free(report, pending);
	report_buffer_release(&report->held);
	free(report);
}
