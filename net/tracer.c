#include <stdlib.h>
#include <string.h>

#include "net/notice.h"
#include "net/tracer.h"

struct tracer {
	struct observer observer;
	const struct conn_info *info;
};

static const char *const side_names[] = {"client", "server"};
static const char *const reason_names[] = {"closed", "refused", "ended by us"};

static unsigned long long
tracer_id(const struct observer *observer)
{
	return ((const struct tracer *)(const void *)observer)->info->id;
}

static void
tracer_open(struct observer *observer, const struct conn_info *info)
{
	char client[ADDRESS_TEXT_MAX], server[ADDRESS_TEXT_MAX];

	((struct tracer *)(void *)observer)->info = info;
	notice(NOTICE_VERBOSE, "#%llu: %s to %s", (unsigned long long)info->id,
	    address_format(&info->client, client), address_format(&info->server, server));
}

static void
tracer_data(struct observer *observer, enum side side, const struct slice *slice, int64_t time)
{
	(void)time;
	notice(
	    NOTICE_DEBUG, "#%llu: %s sent %zu", tracer_id(observer), side_names[side], slice->size);
}

static void
tracer_eof(struct observer *observer, enum side side, int64_t time)
{
	(void)time;
	notice(NOTICE_DEBUG, "#%llu: %s ended its stream", tracer_id(observer), side_names[side]);
}

static void
tracer_error(struct observer *observer, enum side side, int error, int64_t time)
{
	(void)time;
	notice(NOTICE_VERBOSE, "#%llu: %s: %s", tracer_id(observer), side_names[side],
	    strerror(error));
}

static void
tracer_close(struct observer *observer, enum close_reason reason, int64_t time)
{
	const struct conn_info *info = ((struct tracer *)(void *)observer)->info;

	notice(NOTICE_VERBOSE, "#%llu: %s after %.3f s, client sent %llu, server sent %llu",
	    tracer_id(observer), reason_names[reason], (double)(time - info->opened) / 1e9,
	    (unsigned long long)info->bytes[SIDE_CLIENT],
	    (unsigned long long)info->bytes[SIDE_SERVER]);
	free(observer);
}

static const struct observer_ops tracer_ops = {
    .open = tracer_open,
    .data = tracer_data,
    .eof = tracer_eof,
    .error = tracer_error,
    .close = tracer_close,
};

void
tracer_attach(struct tap *tap)
{
	struct tracer *tracer = calloc(1, sizeof(*tracer));

	if (tracer == NULL)
		return;
	tracer->observer.ops = &tracer_ops;
	tap_add(tap, &tracer->observer);
}
