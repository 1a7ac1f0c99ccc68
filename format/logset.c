#define LIBBSD_OPENBSD_VIS 1 /* vis.h warns unless told which strnvis(3); none is used here */
#include "format/logset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vis.h>

#include "format/logscan.h"

/* What is at hand while operands are collected. */
struct collector {
	struct logset *set;
	size_t room;
	const char *recording;
	char *root; /* whose index is loaded, NULL: none is */
	struct index *index;
};

int
logset_fail(struct logset *set, const char *subject, const char *problem)
{
	int error = errno;
	char shown[4 * 60 + 1];

	/* of a long name its end tells more */
	if (strlen(subject) > 60)
		subject += strlen(subject) - 60;
	strvis(shown, subject, VIS_CSTYLE | VIS_TAB | VIS_NL | VIS_NOLOCALE);
	snprintf(set->error, sizeof(set->error), "%s: %s", shown, problem);
	errno = error;
	return -1;
}

static int
fail_errno(struct logset *set, const char *subject)
{
	return logset_fail(set, subject, strerror(errno));
}

static void
item_release(struct logset_item *item)
{
	for (size_t i = 0; i < item->part_count; i++)
		free(item->parts[i]);
	free(item->parts);
}

/* A new item at the end of the set, or NULL with errno. */
static struct logset_item *
item_add(struct collector *collector)
{
	struct logset *set = collector->set;

	if (set->count == collector->room) {
		size_t room = collector->room > 0 ? 2 * collector->room : 16;
		struct logset_item *items = reallocarray(set->items, room, sizeof(*items));
		if (items == NULL)
			return NULL;
		set->items = items;
		collector->room = room;
	}
	set->items[set->count] = (struct logset_item){.end = UINT64_MAX};
	return &set->items[set->count++];
}

/* Append a part; the item owns `path` from now on, also when this fails. */
static int
item_add_part(struct logset_item *item, char *path)
{
	char **parts;

	if (path == NULL)
		return -1;
	parts = reallocarray(item->parts, item->part_count + 1, sizeof(*parts));
	if (parts == NULL) {
		free(path);
		return -1;
	}
	item->parts = parts;
	parts[item->part_count++] = path;
	item->name = parts[0];
	return 0;
}

/* Have the index of the root that is the first `length` bytes of `root`. */
static int
load_index(struct collector *collector, const char *root, size_t length)
{
	if (collector->root != NULL && strncmp(collector->root, root, length) == 0 &&
	    collector->root[length] == '\0')
		return 0;
	free(collector->root);
	index_free(collector->index);
	collector->index = NULL;
	collector->root = strndup(root, length);
	if (collector->root == NULL)
		return -1;
	/* logs can be read without their index, so one that is not readable is as good as none */
	collector->index = index_load(collector->root);
	return collector->index == NULL && errno == ENOMEM ? -1 : 0;
}

static void
item_look_up(struct collector *collector, struct logset_item *item, const struct logname *name)
{
	const struct index_entry *entry = NULL;

	item->n = name->n;
	item->first_part = name->part;
	if (collector->index != NULL)
		entry = index_find(collector->index, name->n);
	if (entry != NULL) {
		item->indexed = true;
		item->entry = *entry;
	}
}

/* Append the parts that follow the one it has. */
static int
find_parts(struct logset_item *item)
{
	for (unsigned part = item->first_part + 1;; part++) {
		char *path = logname_part(item->name, part, false);
		if (path != NULL && access(path, F_OK) != 0) {
			free(path);
			path = logname_part(item->name, part, true);
			if (path != NULL && access(path, F_OK) != 0) {
				free(path);
				return 0;
			}
		}
		if (item_add_part(item, path) != 0)
			return -1;
	}
}

/* Did this part follow a file that was collected? */
static bool
is_collected(const struct logset *set, const char *path)
{
	for (size_t i = set->count; i-- > 0;)
		for (size_t part = 1; part < set->items[i].part_count; part++)
			if (strcmp(set->items[i].parts[part], path) == 0)
				return true;
	return false;
}

/* An operand that is a file, or standard input. */
static int
collect_file(struct collector *collector, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	struct logset_item *item;
	struct logname name;
	bool named = logname_parse(base, &name);

	/* "root_*" names all parts */
	if (named && name.part > 0 && is_collected(collector->set, path))
		return 0;
	item = item_add(collector);
	if (item == NULL || item_add_part(item, strdup(path)) != 0)
		return fail_errno(collector->set, path);
	if (!named)
		return 0;
	if (load_index(collector, path, (size_t)(base - path) + name.root_length) != 0)
		return fail_errno(collector->set, path);
	item_look_up(collector, item, &name);
	if (!name.joined && find_parts(item) != 0)
		return fail_errno(collector->set, path);
	return 0;
}

static bool
continues(const struct logscan_file *before, const struct logscan_file *file)
{
	return before->name.n == file->name.n && before->name.joined == file->name.joined &&
	       before->name.part + 1 == file->name.part;
}

/* Make items of the files found; parts that follow one another make one. */
static int
items_from_scan(struct collector *collector, struct logscan *scan)
{
	struct logset_item *item = NULL;

	for (size_t i = 0; i < scan->count; i++) {
		struct logscan_file *file = &scan->files[i];
		char *path = file->path;
		if (item == NULL || !continues(file - 1, file)) {
			item = item_add(collector);
			if (item == NULL)
				return -1;
			item_look_up(collector, item, &file->name);
			item->behind_gap = i > 0 && file->name.part > 0 &&
					   file[-1].name.n == file->name.n &&
					   file[-1].name.joined == file->name.joined;
		}
		file->path = NULL;
		if (item_add_part(item, path) != 0)
			return -1;
	}
	return 0;
}

static bool
is_recording(const char *run, const char *recording)
{
	return recording == NULL || strncmp(run, recording, strlen(recording)) == 0;
}

/* Count the connections in the index that have no file; both are in the order of numbers. */
static void
count_missing(struct collector *collector, const struct logscan *scan)
{
	const struct index_entry *entries;
	size_t count = 0, file = 0;

	if (collector->index == NULL)
		return;
	entries = index_entries(collector->index, &count);
	for (size_t i = 0; i < count; i++) {
		while (file < scan->count && scan->files[file].name.n < entries[i].n)
			file++;
		if ((file == scan->count || scan->files[file].name.n != entries[i].n) &&
		    is_recording(entries[i].run, collector->recording))
			collector->set->missing++;
	}
}

struct order {
	int64_t start;
	size_t position;
};

static int
order_compare(const void *a, const void *b)
{
	const struct order *left = a, *right = b;

	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	return left->position < right->position ? -1 : left->position > right->position;
}

/* Order items by the wall clock; one that has none stays behind those of lower numbers. */
static int
sort_items(struct logset_item *items, size_t count)
{
	struct order *orders = calloc(count + 1, sizeof(*orders));
	struct logset_item *sorted = calloc(count + 1, sizeof(*sorted));
	int64_t latest = INT64_MIN;
	int status = -1;

	if (orders == NULL || sorted == NULL)
		goto release;
	for (size_t i = 0; i < count; i++) {
		int64_t start = logset_has_wall(&items[i]) ? items[i].entry.start : latest;
		if (start > latest)
			latest = start;
		orders[i] = (struct order){start, i};
	}
	qsort(orders, count, sizeof(*orders), order_compare);
	for (size_t i = 0; i < count; i++)
		sorted[i] = items[orders[i].position];
	memcpy(items, sorted, count * sizeof(*items));
	status = 0;
release:
	free(orders);
	free(sorted);
	return status;
}

/* An operand that is a logroot. Returns how many logs it has, or -1. */
static ssize_t
collect_root(struct collector *collector, const char *root)
{
	struct logset *set = collector->set;
	struct logscan scan;
	size_t first = set->count;
	ssize_t status = -1;

	if (logscan_read(&scan, root) != 0) {
		status = errno == ENOENT || errno == ENOTDIR ? 0 : fail_errno(set, root);
		goto release;
	}
	if (load_index(collector, root, strlen(root)) != 0 ||
	    (count_missing(collector, &scan), items_from_scan(collector, &scan)) != 0 ||
	    (set->count > first && sort_items(set->items + first, set->count - first) != 0))
		status = fail_errno(set, root);
	else
		status = (ssize_t)(set->count - first);
release:
	logscan_release(&scan);
	return status;
}

static int
collect_operand(struct collector *collector, const char *operand)
{
	struct logset *set = collector->set;
	struct stat status;
	bool directory = false;
	size_t missing = set->missing;
	ssize_t found;

	if (strcmp(operand, "-") == 0)
		return collect_file(collector, operand);
	if (stat(operand, &status) == 0) {
		directory = S_ISDIR(status.st_mode);
		if (!directory)
			return collect_file(collector, operand);
	} else if (errno != ENOENT && errno != ENOTDIR) {
		return fail_errno(set, operand);
	}
	/* a directory may have the name of a logroot beside it; "logs/" means logs/_1, logs/_2 ...
	 */
	found = *operand != '\0' ? collect_root(collector, operand) : 0;
	if (found < 0)
		return -1;
	if (found == 0 && directory) {
		errno = EISDIR;
		return logset_fail(set, operand, "is a directory, give the logroot inside it");
	}
	if (found == 0 && set->missing == missing) {
		errno = ENOENT;
		return logset_fail(set, operand, "no log of that name");
	}
	return 0;
}

/* The id of the run that `recording` means, or NULL with the set's error. */
static const char *
find_run(struct logset *set, const char *recording)
{
	const char *run = NULL;

	for (size_t i = 0; i < set->count; i++) {
		const struct logset_item *item = &set->items[i];
		if (!item->indexed || !is_recording(item->entry.run, recording))
			continue;
		if (strcmp(item->entry.run, recording) == 0)
			return item->entry.run;
		if (run != NULL && strcmp(run, item->entry.run) != 0) {
			errno = EINVAL;
			logset_fail(set, recording, "several recordings begin so");
			return NULL;
		}
		run = item->entry.run;
	}
	if (run == NULL && set->missing > 0) /* all of its files are gone */
		return recording;
	if (run == NULL) {
		errno = ENOENT;
		logset_fail(set, recording, "no such recording in the index");
	}
	return run;
}

static int
keep_recording(struct logset *set, const char *recording)
{
	const char *found = find_run(set, recording);
	char run[INDEX_RUN_MAX];
	size_t kept = 0;

	if (found == NULL)
		return -1;
	strlcpy(run, found, sizeof(run)); /* items move */
	for (size_t i = 0; i < set->count; i++) {
		if (set->items[i].indexed && strcmp(set->items[i].entry.run, run) == 0)
			set->items[kept++] = set->items[i];
		else
			item_release(&set->items[i]);
	}
	set->count = kept;
	return 0;
}

int
logset_collect(struct logset *set, char *const *operands, size_t count, const char *recording)
{
	struct collector collector = {.set = set, .recording = recording};
	int status = 0;

	*set = (struct logset){.items = NULL};
	for (size_t i = 0; i < count && status == 0; i++)
		status = collect_operand(&collector, operands[i]);
	if (status == 0 && recording != NULL)
		status = keep_recording(set, recording);
	free(collector.root);
	index_free(collector.index);
	return status;
}

void
logset_release(struct logset *set)
{
	for (size_t i = 0; i < set->count; i++)
		item_release(&set->items[i]);
	free(set->items);
	set->items = NULL;
	set->count = 0;
}

bool
logset_has_wall(const struct logset_item *item)
{
	return item->indexed && item->entry.start != 0;
}

static struct reader *
item_reader(const struct logset_item *item, struct source *source)
{
	struct reader *reader = source != NULL ? reader_new(source, item->name) : NULL;

	if (reader != NULL)
		reader_end_at(reader, item->end);
	return reader;
}

struct reader *
logset_reader(const struct logset_item *item)
{
	return item_reader(item, item->part_count == 1
				     ? source_open(item->parts[0])
				     : source_concat(item->parts, item->part_count));
}

struct reader *
logset_reader_late(const struct logset_item *item)
{
	return item_reader(item, source_concat(item->parts, item->part_count));
}
