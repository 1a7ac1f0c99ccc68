#include <inttypes.h>
#include <stdbool.h>

#include "net/metrics.h"
#include "net/notice.h"

static const struct metrics_about about[COUNTER_COUNT] = {
    [COUNTER_ACCEPTED] = {"connections_total", "counter", "client connections accepted"},
    [COUNTER_OPEN] = {"connections_open", "gauge", "connections open now"},
    [COUNTER_REFUSED] = {"refused_total", "counter", "connections whose server never accepted"},
    [COUNTER_FAILED] = {"failed_total", "counter", "connections that ended by an error"},
    [COUNTER_KILLED] = {"killed_total", "counter", "connections that this process ended"},
    [COUNTER_CLIENT_BYTES] = {"client_bytes_total", "counter", "bytes received from clients"},
    [COUNTER_SERVER_BYTES] = {"server_bytes_total", "counter", "bytes received from servers"},
    [COUNTER_RECORDED_BYTES] = {"recorded_bytes_total", "counter", "bytes written to logs"},
    [COUNTER_LOST_BYTES] = {"lost_bytes_total", "counter",
	"bytes that passed and were not recorded"},
    [COUNTER_LOG_FAILURES] = {"log_failures_total", "counter",
	"logs that ended before their connection"},
    [COUNTER_LOG_QUEUE] = {"log_queue_bytes", "gauge", "memory held by the log queue now"},
    [COUNTER_SCRIPT_FAILURES] = {"script_failures_total", "counter",
	"connections closed because their script failed"},
    [COUNTER_PAUSED_ACCEPTS] = {"paused_accepts_total", "counter",
	"times that accepting paused for want of descriptors"},
    [COUNTER_CAPTURE_DROPPED] = {"capture_dropped_total", "counter",
	"connections that ended early in the live capture"},
    [COUNTER_PACKETS] = {"packets_total", "counter", "packets captured"},
    [COUNTER_PACKETS_DROPPED] = {"packets_dropped_total", "counter",
	"packets that the kernel dropped"},
    [COUNTER_GAPS] = {"gaps_total", "counter",
	"captured connections that ended because bytes are missing"},
    [COUNTER_LINKS] = {"links_open", "gauge", "links that are up"},
    [COUNTER_LINKS_LOST] = {"links_lost_total", "counter", "links whose connection was lost"},
    [COUNTER_LINKS_RESUMED] = {"links_resumed_total", "counter",
	"lost links that were continued on a new connection"},
    [COUNTER_UNAUTHENTICATED] = {"unauthenticated_total", "counter",
	"connections that did not prove to know the key"},
    [COUNTER_DENIED] = {"denied_total", "counter", "clients without a valid token"},
    [COUNTER_VIOLATIONS] = {"violations_total", "counter",
	"links ended since their peer broke the protocol"},
    [COUNTER_RETAINED] = {"retained_bytes", "gauge", "bytes sent and not yet acknowledged"},
};

/* Which section a counter belongs to; 0: every command has it. */
static const unsigned sections[COUNTER_COUNT] = {
    [COUNTER_PACKETS] = METRICS_SNIFFER,
    [COUNTER_PACKETS_DROPPED] = METRICS_SNIFFER,
    [COUNTER_GAPS] = METRICS_SNIFFER,
    [COUNTER_CAPTURE_DROPPED] = METRICS_CAPTURE,
    [COUNTER_SCRIPT_FAILURES] = METRICS_SCRIPT,
    [COUNTER_RECORDED_BYTES] = METRICS_LOGS,
    [COUNTER_LOST_BYTES] = METRICS_LOGS,
    [COUNTER_LOG_FAILURES] = METRICS_LOGS,
    [COUNTER_LOG_QUEUE] = METRICS_LOGS,
    [COUNTER_LINKS] = METRICS_TUNNEL,
    [COUNTER_LINKS_LOST] = METRICS_TUNNEL,
    [COUNTER_LINKS_RESUMED] = METRICS_TUNNEL,
    [COUNTER_UNAUTHENTICATED] = METRICS_TUNNEL,
    [COUNTER_DENIED] = METRICS_TUNNEL,
    [COUNTER_VIOLATIONS] = METRICS_TUNNEL,
    [COUNTER_RETAINED] = METRICS_TUNNEL,
};

static bool
is_shown(const struct metrics *metrics, int counter)
{
	return sections[counter] == 0 || (sections[counter] & metrics->sections) != 0;
}

void
metrics_add_group(struct metrics *metrics, struct metrics_group *group)
{
	struct metrics_group *_Atomic *end = &metrics->groups;
	struct metrics_group *next;

	while ((next = atomic_load_explicit(end, memory_order_relaxed)) != NULL)
		end = &next->next;
	atomic_store_explicit(&group->next, NULL, memory_order_relaxed);
	/* Another thread may be on its way along the list. */
	atomic_store_explicit(end, group, memory_order_release);
}

static struct metrics_group *
first_group(struct metrics *metrics)
{
	return atomic_load_explicit(&metrics->groups, memory_order_acquire);
}

static struct metrics_group *
next_group(struct metrics_group *group)
{
	return atomic_load_explicit(&group->next, memory_order_acquire);
}

static uint64_t
group_get(struct metrics_group *group, size_t counter)
{
	return atomic_load_explicit(&group->counters[counter], memory_order_relaxed);
}

void
metrics_tell(struct metrics *metrics)
{
	struct metrics_group *group;

	for (int i = 0; i < COUNTER_COUNT; i++)
		if (is_shown(metrics, i))
			notice(NOTICE_ANNOUNCE, "%s: %" PRIu64, about[i].help,
			    metrics_get(metrics, (enum counter)i));
	for (group = first_group(metrics); group != NULL; group = next_group(group))
		for (size_t i = 0; i < group->count; i++)
			notice(NOTICE_ANNOUNCE, "%s: %s: %" PRIu64, group->title,
			    group->about[i].help, group_get(group, i));
}

static void
write_about(const struct metrics_about *counter, FILE *stream, const char *prefix)
{
	fprintf(stream, "# HELP %s_%s %c%s.\n# TYPE %s_%s %s\n", prefix, counter->name,
	    counter->help[0] - 'a' + 'A', counter->help + 1, prefix, counter->name, counter->type);
}

/* All samples of one name must stand together. */
static void
write_groups(struct metrics *metrics, FILE *stream, const char *prefix)
{
	struct metrics_group *first = first_group(metrics), *group;

	for (size_t i = 0; first != NULL && i < first->count; i++) {
		write_about(&first->about[i], stream, prefix);
		for (group = first; group != NULL; group = next_group(group))
			fprintf(stream, "%s_%s{%s} %" PRIu64 "\n", prefix, first->about[i].name,
			    group->labels, group_get(group, i));
	}
}

void
metrics_write(struct metrics *metrics, FILE *stream, const char *prefix)
{
	for (int i = 0; i < COUNTER_COUNT; i++) {
		if (!is_shown(metrics, i))
			continue;
		write_about(&about[i], stream, prefix);
		fprintf(stream, "%s_%s %" PRIu64 "\n", prefix, about[i].name,
		    metrics_get(metrics, (enum counter)i));
	}
	write_groups(metrics, stream, prefix);
}
