#include "netreplay/normal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/notice.h"

/* After so many recorded bytes there were so many normalised ones. */
struct normal_mark {
	uint64_t recorded, normalised;
};

void
normal_init(struct normal *normal, struct script *script, const struct conn_info *info)
{
	if (script == NULL)
		return;
	normal->loaded = true;
	for (int i = 0; i < 2; i++)
		script_conn_init(&normal->conns[i], script, info);
	normal->conns[ALIGN_RECORDED].stream = "recorded";
	normal->conns[ALIGN_LIVE].stream = "live";
	normal->normalises = script_conn_has(&normal->conns[ALIGN_LIVE], SCRIPT_NORMALISE);
}

void
normal_release(struct normal *normal)
{
	if (normal->loaded)
		for (int i = 0; i < 2; i++)
			script_conn_release(&normal->conns[i]);
	free(normal->marks);
}

void
normal_refresh(struct normal *normal)
{
	for (int i = 0; i < 2; i++)
		script_conn_refresh(&normal->conns[i]);
}

static int
normal_call(struct normal *normal, struct script_conn *conn, enum script_function function,
    const unsigned char **data, size_t *size)
{
	if (script_rewrite(conn, function, data, size) == 0)
		return 0;
	normal->reason = script_conn_error(conn);
	notice(NOTICE_ERROR, "%s", normal->reason);
	return -1;
}

static int
normal_mark(struct normal *normal, size_t recorded, size_t normalised)
{
	if (normal->mark_count == normal->mark_capacity) {
		size_t capacity = normal->mark_capacity > 0 ? 2 * normal->mark_capacity : 16;
		struct normal_mark *grown =
		    reallocarray(normal->marks, capacity, sizeof(*normal->marks));

		if (grown == NULL) {
			normal->reason = strerror(ENOMEM);
			return -1;
		}
		normal->marks = grown;
		normal->mark_capacity = capacity;
	}
	normal->recorded += recorded;
	normal->normalised += normalised;
	normal->marks[normal->mark_count++] =
	    (struct normal_mark){normal->recorded, normal->normalised};
	return 0;
}

int
normal_take(
    struct normal *normal, enum align_stream stream, const unsigned char **data, size_t *size)
{
	size_t taken = *size;

	if (!normal->normalises)
		return 0;
	if (normal_call(normal, &normal->conns[stream], SCRIPT_NORMALISE, data, size) == -1)
		return -1;
	return stream == ALIGN_RECORDED ? normal_mark(normal, taken, *size) : 0;
}

int
normal_send(struct normal *normal, const unsigned char **data, size_t *size)
{
	struct script_conn *conn = &normal->conns[ALIGN_LIVE];

	if (!normal->loaded || !script_conn_has(conn, SCRIPT_CLIENT_DATA))
		return 0;
	return normal_call(normal, conn, SCRIPT_CLIENT_DATA, data, size);
}

uint64_t
normal_place(const struct normal *normal, uint64_t offset)
{
	size_t low = 0, high = normal->mark_count;

	if (!normal->normalises || offset == 0)
		return offset;
	/* What was not taken yet cannot be known: as if it stayed as it is. */
	if (offset > normal->recorded)
		return normal->normalised + (offset - normal->recorded);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (normal->marks[middle].recorded < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return normal->marks[low].normalised;
}
