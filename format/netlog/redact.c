#include "format/netlog/netlog.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/netlog/matches.h"
#include "format/netlog/newroot.h"
#include "format/netlog/text.h"

#define PIECE_SIZE 65536

struct redact {
	struct invocation *invocation;
	const char *root;
	bool gzip;
	struct pattern **patterns;
	uint64_t *counts; /* matches, by pattern */
	size_t pattern_count;
	struct matches **matches[2]; /* of the log at hand, by side and pattern */
	unsigned char piece[PIECE_SIZE];
};

static int
pattern_add(struct redact *redact, const char *text)
{
	char error[256];
	struct pattern **patterns =
	    reallocarray(redact->patterns, redact->pattern_count + 1, sizeof(struct pattern *));

	if (patterns == NULL) {
		warn(NULL);
		redact->invocation->status = STATUS_ERROR;
		return -1;
	}
	redact->patterns = patterns;
	patterns[redact->pattern_count] = pattern_new(text, error, sizeof(error));
	if (patterns[redact->pattern_count] == NULL) {
		redact->invocation->status =
		    usage_error(redact->invocation, "--expression: %s", error);
		return -1;
	}
	redact->pattern_count++;
	return 0;
}

/* Overwrite what one pattern matches of the bytes at `offset`. */
static int
bytes_redact(struct matches *matches, uint64_t offset, unsigned char *bytes, size_t size)
{
	uint64_t at = offset, end = offset + size;

	while (at < end) {
		struct match_range range;
		int found = matches_next(matches, at, &range);
		if (found < 0)
			return -1;
		if (found == 0 || range.begin >= end)
			break;
		if (range.begin > at)
			at = range.begin;
		if (range.end > end)
			range.end = end;
		memset(bytes + (at - offset), 'X', (size_t)(range.end - at));
		at = range.end;
	}
	return 0;
}

/* Every pattern is looked for in what was recorded, whatever the others have overwritten. */
static int
piece_redact(void *context, struct sink *sink, enum side side, uint64_t offset,
    const unsigned char *piece, size_t size)
{
	struct redact *redact = context;

	while (size > 0) {
		size_t part = size < PIECE_SIZE ? size : PIECE_SIZE;
		memcpy(redact->piece, piece, part);
		for (size_t i = 0; i < redact->pattern_count; i++) {
			if (bytes_redact(redact->matches[side][i], offset, redact->piece, part) !=
			    0)
				return -1;
		}
		if (sink_write(sink, redact->piece, part) != 0)
			return -1;
		piece += part;
		offset += part;
		size -= part;
	}
	return 0;
}

static void
matches_release(struct redact *redact)
{
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < redact->pattern_count; i++) {
			matches_free(redact->matches[side][i]);
			redact->matches[side][i] = NULL;
		}
	}
}

static int
matches_begin(struct redact *redact, const struct logset_item *item)
{
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < redact->pattern_count; i++) {
			redact->matches[side][i] =
			    matches_new(item, (enum side)side, redact->patterns[i]);
			if (redact->matches[side][i] == NULL)
				return -1;
		}
	}
	return 0;
}

static void
matches_count_all(struct redact *redact)
{
	struct match_range range;

	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < redact->pattern_count; i++) {
			/* those in what is cut off were not looked for yet */
			(void)matches_next(redact->matches[side][i], UINT64_MAX, &range);
			redact->counts[i] += matches_count(redact->matches[side][i]);
		}
	}
}

static int
redact_item(struct redact *redact, struct newroot *newroot, const struct logset_item *item)
{
	const struct payload_copy copy = {piece_redact, redact};
	int status = STATUS_ERROR;

	if (matches_begin(redact, item) == 0) {
		status = newroot_copy(newroot, item, item->n, 0, &copy);
		matches_count_all(redact);
	} else {
		warn("%s", text_name(item->name));
	}
	matches_release(redact);
	return status;
}

static int
redact_set(struct redact *redact, const struct logset *set)
{
	struct newroot *newroot = newroot_open(redact->root, redact->gzip);
	int status = STATUS_OK;

	if (newroot == NULL)
		return STATUS_ERROR;
	for (size_t i = 0; i < set->count && status != STATUS_ERROR; i++)
		status = status_worse(status, redact_item(redact, newroot, &set->items[i]));
	newroot_close(newroot);
	for (size_t i = 0; i < redact->pattern_count && !redact->invocation->quiet; i++)
		warnx("%llu matches of %s overwritten", (unsigned long long)redact->counts[i],
		    text_name(pattern_text(redact->patterns[i])));
	return status;
}

static int
redact_logs(struct redact *redact)
{
	size_t count = redact->pattern_count;
	struct logset set = {.count = 0};
	int status = STATUS_ERROR;

	redact->counts = calloc(count, sizeof(*redact->counts));
	redact->matches[SIDE_CLIENT] = calloc(count, sizeof(struct matches *));
	redact->matches[SIDE_SERVER] = calloc(count, sizeof(struct matches *));
	if (redact->counts == NULL || redact->matches[SIDE_CLIENT] == NULL ||
	    redact->matches[SIDE_SERVER] == NULL)
		warn(NULL);
	else if (operands_collect(redact->invocation, &set) != 0)
		status = redact->invocation->status;
	else if (operands_spool(&set) == 0)
		status = redact_set(redact, &set);
	logset_release(&set);
	free(redact->counts);
	free(redact->matches[SIDE_CLIENT]);
	free(redact->matches[SIDE_SERVER]);
	return status;
}

/* Returns 0, or -1 when the run is over. */
static int
redact_options(struct redact *redact)
{
	static const struct option options[] = {{"expression", required_argument, NULL, 'e'},
	    {"output", required_argument, NULL, 'o'}, {"gzip", no_argument, NULL, 'z'},
	    COMMON_OPTIONS};
	struct invocation *invocation = redact->invocation;
	int option;

	while ((option = option_next(invocation, ":e:o:z" COMMON_LETTERS, options)) != -1) {
		switch (option) {
		case 'e':
			if (pattern_add(redact, optarg) != 0)
				return -1;
			break;
		case 'o':
			redact->root = optarg;
			break;
		case 'z':
			redact->gzip = true;
			break;
		default:
			return -1;
		}
	}
	if (redact->pattern_count == 0)
		invocation->status = usage_error(invocation, "no expression given (-e)");
	else if (redact->root == NULL)
		invocation->status = usage_error(invocation, "no new logroot given (-o)");
	else
		return 0;
	return -1;
}

static int
redact_run(struct invocation *invocation)
{
	static struct redact redact;
	int status;

	redact.invocation = invocation;
	status = redact_options(&redact) == 0 ? redact_logs(&redact) : invocation->status;
	for (size_t i = 0; i < redact.pattern_count; i++)
		pattern_free(redact.patterns[i]);
	free(redact.patterns);
	return status;
}

const struct command redact_command = {
    .name = "redact",
    .summary = "overwrite by X what matches, for logs that are given away",
    .usage = "[options] -e REGEX -o NEWROOT log...",
    .about = "Overwrite by X what matches, for logs that are given away.\n",
    .options = "  -e, --expression REGEX       what it matches, also across records of one side,\n"
	       "                               is overwritten by as many X; repeatable\n"
	       "  -o, --output ROOT            the logroot to write; logs keep their numbers if\n"
	       "                               it has none yet\n"
	       "  -z, --gzip                   write .gz logs\n",
    .run = redact_run,
};
