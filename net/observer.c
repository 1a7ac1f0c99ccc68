#include <string.h>

#include "net/observer.h"

void
tap_init(struct tap *tap, const struct tap_ops *ops)
{
	memset(tap, 0, sizeof(*tap));
	tap->ops = ops;
	SLIST_INIT(&tap->observers);
}

void
tap_add(struct tap *tap, struct observer *observer)
{
	struct observer *last = SLIST_FIRST(&tap->observers);

	observer->tap = tap;
	while (last != NULL && SLIST_NEXT(last, next) != NULL)
		last = SLIST_NEXT(last, next);
	if (last == NULL)
		SLIST_INSERT_HEAD(&tap->observers, observer, next);
	else
		SLIST_INSERT_AFTER(last, observer, next);
}

void
tap_open(struct tap *tap)
{
	struct observer *observer;

	tap->opened = true;
	SLIST_FOREACH (observer, &tap->observers, next) {
		observer->ops->open(observer, &tap->info);
	}
}

void
tap_connected(struct tap *tap, int64_t time)
{
	struct observer *observer;

	tap->info.connected = tap->info.last = time;
	SLIST_FOREACH (observer, &tap->observers, next) {
		if (observer->ops->connected != NULL)
			observer->ops->connected(observer, time);
	}
}

void
tap_data(struct tap *tap, enum side side, const struct slice *slice, int64_t time)
{
	struct observer *observer;

	tap->info.bytes[side] += slice->size;
	tap->info.last = time;
	SLIST_FOREACH (observer, &tap->observers, next) {
		observer->ops->data(observer, side, slice, time);
	}
}

void
tap_eof(struct tap *tap, enum side side, int64_t time)
{
	struct observer *observer;

	tap->info.last = time;
	SLIST_FOREACH (observer, &tap->observers, next) {
		observer->ops->eof(observer, side, time);
	}
}

void
tap_error(struct tap *tap, enum side side, int error, int64_t time)
{
	struct observer *observer;

	tap->info.last = time;
	SLIST_FOREACH (observer, &tap->observers, next) {
		observer->ops->error(observer, side, error, time);
	}
}

void
tap_close(struct tap *tap, enum close_reason reason, int64_t time)
{
	struct observer *observer;

	while ((observer = SLIST_FIRST(&tap->observers)) != NULL) {
		SLIST_REMOVE_HEAD(&tap->observers, next);
		if (tap->opened)
			observer->ops->close(observer, reason, time);
	}
}

bool
tap_ready(struct tap *tap)
{
	struct observer *observer;
	bool ready = true;

	SLIST_FOREACH (observer, &tap->observers, next) {
		if (observer->ops->ready != NULL && !observer->ops->ready(observer))
			ready = false;
	}
	return ready;
}

void
tap_resume(struct tap *tap)
{
	tap->ops->resume(tap);
}

void
tap_kill(struct tap *tap)
{
	tap->ops->kill(tap);
}
