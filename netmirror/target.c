#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/notice.h"
#include "netmirror/target.h"

static const struct metrics_about about[TARGET_COUNTERS] = {
    [TARGET_CONNECTED] = {"observer_connections_total", "counter",
	"connections that the observer accepted"},
    [TARGET_OPEN] = {"observer_connections_open", "gauge", "connections open now"},
    [TARGET_REFUSED] = {"observer_refused_total", "counter",
	"connections that the observer did not accept"},
    [TARGET_DROPPED] = {"observer_dropped_total", "counter",
	"connections dropped because the observer was too slow"},
    [TARGET_FAILED] = {"observer_failed_total", "counter",
	"connections that the observer ended before the client did"},
    [TARGET_BYTES] = {"observer_bytes_total", "counter", "bytes sent to the observer"},
    [TARGET_LOST_BYTES] = {"observer_lost_bytes_total", "counter",
	"bytes of clients that the observer was not sent"},
    [TARGET_ANSWER_BYTES] = {"observer_answer_bytes_total", "counter",
	"bytes received from the observer"},
    [TARGET_QUEUED] = {"observer_queue_bytes", "gauge", "memory held by the observer's queues now"},
    [TARGET_LAG] = {"observer_lag_microseconds", "gauge",
	"microseconds that the oldest byte in the observer's queues has waited"},
};

/* `name="value"`, quoted for Prometheus. */
static void
put_label(FILE *stream, const char *name, const char *value)
{
	fprintf(stream, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			putc('\\', stream);
		if (*value != '\n')
			putc(*value, stream);
	}
	putc('"', stream);
}

static char *
make_labels(const char *proxy, const char *name)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (stream == NULL)
		return NULL;
	put_label(stream, "proxy", proxy);
	putc(',', stream);
	put_label(stream, "observer", name);
	if (fclose(stream) == 0)
		return text;
	free(text);
	return NULL;
}

static void
tally_free(struct tally *tally)
{
	free(tally->name);
	free(tally->labels);
	free(tally->title);
	free(tally);
}

static struct tally *
tally_new(const char *proxy, const char *name, char *labels)
{
	struct tally *tally = calloc(1, sizeof(*tally));

	if (tally == NULL) {
		free(labels);
		return NULL;
	}
	tally->labels = labels;
	tally->name = strdup(name);
	if (asprintf(&tally->title, "%s: observer %s", proxy, name) == -1)
		tally->title = NULL;
	if (tally->name == NULL || tally->title == NULL) {
		tally_free(tally);
		return NULL;
	}
	tally->group = (struct metrics_group){.about = about,
	    .count = TARGET_COUNTERS,
	    .counters = tally->counters,
	    .title = tally->title,
	    .labels = tally->labels};
	return tally;
}

struct tally *
tally_get(struct tally_set *set, const char *proxy, const char *name)
{
	char *labels = make_labels(proxy, name);
	struct tally *tally;

	if (labels == NULL)
		return NULL;
	for (tally = set->first; tally != NULL; tally = tally->next) {
		if (strcmp(tally->labels, labels) == 0) {
			free(labels);
			return tally;
		}
	}
	tally = tally_new(proxy, name, labels);
	if (tally == NULL)
		return NULL;
	tally->next = set->first;
	set->first = tally;
	metrics_add_group(set->metrics, &tally->group);
	return tally;
}

void
tally_set_tell(const struct tally_set *set)
{
	for (struct tally *tally = set->first; tally != NULL; tally = tally->next) {
		uint64_t refused = tally_value(tally, TARGET_REFUSED);
		uint64_t dropped = tally_value(tally, TARGET_DROPPED);
		uint64_t failed = tally_value(tally, TARGET_FAILED);

		if (refused + dropped + failed > 0)
			notice(NOTICE_WARNING,
			    "%s: %llu connections were refused, %llu dropped, %llu ended by it; "
			    "%llu bytes were not sent",
			    tally->title, (unsigned long long)refused, (unsigned long long)dropped,
			    (unsigned long long)failed,
			    (unsigned long long)tally_value(tally, TARGET_LOST_BYTES));
	}
}

void
tally_set_release(struct tally_set *set)
{
	struct tally *tally;

	while ((tally = set->first) != NULL) {
		set->first = tally->next;
		tally_free(tally);
	}
}
