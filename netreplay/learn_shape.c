#include "netreplay/learn_shape.h"

#include <string.h>

#define WRITTEN_OUT                                                                                \
	900	      /* a longer run is written with + : patterns that repeat more are refused    \
		       */
#define HEX_WEIGHT 16 /* hexadecimal digits are believed to be some from so many bytes on */
#define KNOWN_WEIGHT 1000

/* Kinds of bytes, a narrower one before the wider ones. */
static const struct kind {
	const char *bytes; /* ranges, as between brackets */
	size_t weight;	   /* how many bytes it takes to believe it */
} kinds[] = {
    {"0-9", 0},
    {"0-9a-f", HEX_WEIGHT},
    {"0-9A-F", HEX_WEIGHT},
    {"a-z", 0},
    {"A-Z", 0},
    {"A-Za-z", 0},
    {" 0-9", KNOWN_WEIGHT},
    {"0-9a-z", 0},
    {"0-9A-Z", 0},
    {"0-9A-Za-z", 0},
    {"0-9A-Za-z_-", 0},
    {"0-9A-Za-z+/=", 0},
    {"0-9A-Za-z.", 0},
    {"0-9A-Za-z._-", 0},
    {"0-9A-Za-z+/=._~-", 0},
    {"!-~", 0},
    {" -~", 0},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void
set_add(struct byte_set *set, unsigned char byte)
{
	set->bits[byte / 64] |= UINT64_C(1) << byte % 64;
}

static bool
set_has(const struct byte_set *set, unsigned char byte)
{
	return (set->bits[byte / 64] >> byte % 64 & 1) != 0;
}

static bool
set_within(const struct byte_set *set, const struct byte_set *wider)
{
	for (size_t i = 0; i < 4; i++)
		if ((set->bits[i] & ~wider->bits[i]) != 0)
			return false;
	return true;
}

static void
set_join(struct byte_set *set, const struct byte_set *other)
{
	for (size_t i = 0; i < 4; i++)
		set->bits[i] |= other->bits[i];
}

/* The bytes of ranges such as "0-9a-z_-". */
static struct byte_set
set_of(const char *ranges)
{
	struct byte_set set = {.bits = {0}};

	for (; *ranges != '\0'; ranges++) {
		set_add(&set, (unsigned char)*ranges);
		if (ranges[1] != '-' || ranges[2] == '\0')
			continue;
		for (char byte = ranges[0]; byte <= ranges[2]; byte++)
			set_add(&set, (unsigned char)byte);
		ranges += 2;
	}
	return set;
}

static struct shape_part *
part_add(struct shape *shape)
{
	struct shape_part *part;

	if (shape->count == SHAPE_PARTS_MAX)
		return NULL;
	part = &shape->parts[shape->count++];
	*part = (struct shape_part){.follow = -1, .least = 1, .most = 1};
	return part;
}

bool
shape_add_byte(struct shape *shape, unsigned char byte)
{
	struct shape_part *part = part_add(shape);

	if (part == NULL)
		return false;
	part->byte = byte;
	return true;
}

bool
shape_add_any(struct shape *shape, size_t size)
{
	struct shape_part *last = shape->count > 0 ? &shape->parts[shape->count - 1] : NULL;
	struct shape_part *part;

	if (last != NULL && last->any) {
		last->least = last->most += size;
		return true;
	}
	part = part_add(shape);
	if (part == NULL)
		return false;
	part->varies = part->any = true;
	part->least = part->most = size;
	return true;
}

bool
shape_add_run(
    struct shape *shape, const unsigned char *const bytes[2], const size_t size[2], int follow)
{
	struct shape_part *part = part_add(shape);

	if (part == NULL)
		return false;
	part->varies = true;
	part->follow = follow;
	part->least = size[0] < size[1] ? size[0] : size[1];
	part->most = size[0] < size[1] ? size[1] : size[0];
	part->weight = size[0] + size[1];
	for (int i = 0; i < 2; i++)
		for (size_t at = 0; at < size[i]; at++)
			set_add(&part->seen, bytes[i][at]);
	return true;
}

const char *
shape_letter(char letter)
{
	switch (letter) {
	case '0':
		return "0-9";
	case 'a':
		return "a-z";
	case 'A':
		return "A-Z";
	case 'x':
		return "0-9a-f";
	case 'X':
		return "0-9A-F";
	case '_':
		return " 0-9";
	default:
		return NULL;
	}
}

bool
shape_add_known(struct shape *shape, const char *letters, size_t size)
{
	for (size_t at = 0, run; at < size; at += run) {
		const char *ranges = shape_letter(letters[at]);
		struct shape_part *part;
		for (run = 1; at + run < size && letters[at + run] == letters[at]; run++)
			;
		if (letters[at] == '?') {
			if (!shape_add_any(shape, run))
				return false;
			continue;
		}
		if (ranges == NULL)
			run = 1;
		part = part_add(shape);
		if (part == NULL)
			return false;
		part->byte = (unsigned char)letters[at];
		if (ranges == NULL)
			continue;
		part->varies = true;
		part->least = part->most = run;
		part->weight = KNOWN_WEIGHT;
		part->seen = set_of(ranges);
	}
	return true;
}

bool
shape_is_binary(const struct shape *shape)
{
	for (size_t i = 0; i < shape->count; i++)
		if (shape->parts[i].any)
			return true;
	return false;
}

bool
shape_is_token(const struct shape *shape)
{
	const struct shape_part *run = &shape->parts[0];
	const struct byte_set words = set_of("0-9A-Za-z");

	return shape->count == 1 && run->varies && !run->any && !set_within(&run->seen, &words);
}

static void
part_join(struct shape_part *into, const struct shape_part *from)
{
	if (from->least < into->least)
		into->least = from->least;
	if (from->most > into->most)
		into->most = from->most;
	if (from->follow != into->follow)
		into->follow = -1;
	into->weight += from->weight;
	set_join(&into->seen, &from->seen);
}

/* Does `b` begin with the same literal bytes as `a` has, with runs between them in the same places?
 */
static bool
is_beginning(const struct shape *a, const struct shape *b)
{
	if (a->count > b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->parts[i].varies != b->parts[i].varies ||
		    a->parts[i].any != b->parts[i].any ||
		    (a->parts[i].any && a->parts[i].most != b->parts[i].most) ||
		    (!a->parts[i].varies && a->parts[i].byte != b->parts[i].byte))
			return false;
	return true;
}

/* All of a shape as one run. */
static struct shape_part
collapsed(const struct shape *shape)
{
	struct shape_part run = {.varies = true};

	run.follow = shape->parts[shape->count - 1].follow;
	for (size_t i = 0; i < shape->count; i++) {
		const struct shape_part *part = &shape->parts[i];
		run.least += part->least;
		run.most += part->most;
		run.weight += part->varies ? part->weight : 1;
		if (part->varies) /* of binary ones nothing was noted */
			set_join(&run.seen, &part->seen);
		else
			set_add(&run.seen, part->byte);
	}
	return run;
}

bool
shape_merge(struct shape *into, const struct shape *from)
{
	struct shape_part run, all;

	if (is_beginning(into, from)) {
		for (size_t i = 0; i < from->count; i++)
			if (i < into->count)
				part_join(&into->parts[i], &from->parts[i]);
			else
				into->parts[i] = from->parts[i];
		into->count = from->count;
		return true;
	}
	run = collapsed(from);
	all = collapsed(into);
	if (shape_is_binary(into) || shape_is_binary(from)) {
		if (run.least != run.most || all.least != all.most)
			return false;
		if (run.most == all.most) {
			into->count = 0;
			return shape_add_any(into, run.most);
		}
		if (run.most > all.most) /* it was made so that it holds the other one */
			*into = *from;
		return true;
	}
	into->parts[0] = all;
	into->count = 1;
	part_join(&into->parts[0], &run);
	return true;
}

static void
write_byte(unsigned char byte, FILE *stream)
{
	if (byte == '\r' || byte == '\n' || byte == '\t')
		fputs(byte == '\r' ? "\\r" : byte == '\n' ? "\\n" : "\\t", stream);
	else if (byte < ' ' || byte > '~' || byte == '#')
		fprintf(stream, "\\x%02x", byte);
	else if (strchr(".[]()*+?{}|^$\\", byte) != NULL)
		fprintf(stream, "\\%c", byte);
	else
		fputc(byte, stream);
}

void
shape_write_bytes(const unsigned char *bytes, size_t size, FILE *stream)
{
	for (size_t i = 0; i < size; i++)
		write_byte(bytes[i], stream);
}

/* The narrowest kind that has all the bytes that were seen; NULL: none has. */
static const struct kind *
part_kind(const struct shape_part *part, struct byte_set *set)
{
	for (size_t i = 0; i < KINDS; i++) {
		*set = set_of(kinds[i].bytes);
		if (part->weight >= kinds[i].weight && set_within(&part->seen, set))
			return &kinds[i];
	}
	return NULL;
}

static void
write_kind(const struct shape_part *part, FILE *stream)
{
	struct byte_set set;
	const struct kind *kind = part_kind(part, &set);
	bool ends_it = part->follow >= 0 && part->least != part->most &&
		       !set_has(&part->seen, (unsigned char)part->follow);

	/* a run of varying length must not take what stands behind it */
	if (kind != NULL && !(ends_it && set_has(&set, (unsigned char)part->follow)))
		fprintf(stream, "[%s]", kind->bytes);
	else if (ends_it && part->follow != '\n')
		fprintf(stream, "[^\\x%02x\\r]", (unsigned)part->follow);
	else
		fputs(".", stream);
}

static void
write_times(size_t least, size_t most, FILE *stream)
{
	if (most > WRITTEN_OUT)
		fputs(least == 0 ? "*" : "+", stream);
	else if (least != most)
		fprintf(stream, "{%zu,%zu}", least, most);
	else if (most != 1)
		fprintf(stream, "{%zu}", most);
}

void
shape_write(const struct shape *shape, FILE *stream)
{
	for (size_t i = 0; i < shape->count; i++) {
		const struct shape_part *part = &shape->parts[i];
		if (!part->varies) {
			write_byte(part->byte, stream);
			continue;
		}
		if (part->any)
			fputs("(.|\\n)", stream);
		else
			write_kind(part, stream);
		write_times(part->least, part->most, stream);
	}
}
