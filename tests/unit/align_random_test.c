/* The alignment on random streams, on those that repeat themselves, and on large ones. */
#include "tests/unit/align_fixture.h"

/* Random bytes, zeros, both in turns, lines that repeat. */
static unsigned char
sample_byte(int kind, size_t i)
{
	if (kind == 3)
		return (unsigned char)"abcdef\r\n"[i % 8];
	if (kind == 1 || (kind == 2 && i % 100 < 60))
		return 0;
	return (unsigned char)pick(256);
}

/* Flip, insert and delete in every place, where it is easy and where it is not. */
static void
test_every_place(void)
{
	static struct run run;
	enum { SIZE = 200 };
	unsigned char recorded[SIZE], live[SIZE + 5];

	for (int kind = 0; kind < 4; kind++) {
		for (size_t i = 0; i < SIZE; i++)
			recorded[i] = sample_byte(kind, i);
		for (size_t at = 0; at < SIZE; at++) {
			for (size_t piece = 0; piece < 40; piece += 13) {
				memcpy(live, recorded, SIZE);
				live[at] ^= 0x01;
				run_streams(&run, NULL, recorded, SIZE, live, SIZE, piece);
				EXPECT(run.count == 1 && run.told[0].offset[0] == at);
				EXPECT(run.told[0].size[0] == 1 && run.told[0].size[1] == 1);
				run_finish(&run);
			}
			memcpy(live, recorded, at);
			memcpy(live + at, "\x80<!>\x81", 5);
			memcpy(live + at + 5, recorded + at, SIZE - at);
			run_streams(&run, NULL, recorded, SIZE, live, SIZE + 5, 50);
			EXPECT(run.count == 1);
			EXPECT(run.told[0].size[0] == 0 && run.told[0].size[1] == 5);
			run_finish(&run);
			run_streams(&run, NULL, live, SIZE + 5, recorded, SIZE, 50);
			EXPECT(run.count == 1);
			EXPECT(run.told[0].size[0] == 5 && run.told[0].size[1] == 0);
			run_finish(&run);
		}
	}
}

/* What is told, put in the place of the recorded bytes, must give the live ones. */
static void
expect_reconstructs(const struct run *run, const unsigned char *recorded, size_t recorded_size,
    const unsigned char *live, size_t live_size)
{
	uint64_t at[2] = {0, 0};

	for (size_t i = 0; i <= run->count; i++) {
		const struct told *told = &run->told[i];
		uint64_t offset[2] = {recorded_size, live_size};
		if (i < run->count) {
			offset[0] = told->offset[0];
			offset[1] = told->offset[1];
			EXPECT(told->size[0] + told->size[1] > 0);
		}
		EXPECT(offset[0] >= at[0] && offset[0] - at[0] == offset[1] - at[1]);
		EXPECT(memcmp(recorded + at[0], live + at[1], offset[0] - at[0]) == 0);
		if (i == run->count)
			break;
		at[0] = offset[0] + told->size[0];
		at[1] = offset[1] + told->size[1];
		EXPECT(at[0] <= recorded_size && at[1] <= live_size);
	}
}

/* Edit a copy of `recorded` at random, edits at least `apart` bytes apart; returns its size. */
static size_t
edit(const unsigned char *recorded, size_t size, unsigned char *live, size_t edits, size_t apart)
{
	size_t from = 0, made = 0;

	for (size_t i = 0; i < edits; i++) {
		size_t step = apart + pick(apart), left = 1 + pick(6), gone = pick(3) ? left : 0;
		size_t added = pick(3) ? left : 0;
		if (from + step + gone >= size)
			break;
		memcpy(live + made, recorded + from, step);
		made += step;
		from += step + gone;
		while (added-- > 0)
			live[made++] = (unsigned char)(pick(26) + 'A');
	}
	memcpy(live + made, recorded + from, size - from);
	return made + size - from;
}

static void
test_random_edits(void)
{
	static struct run run, other;
	static unsigned char recorded[20000], live[40000];

	for (size_t round = 0; round < 600; round++) {
		size_t size = 1 + pick(round % 10 == 0 ? sizeof(recorded) : 1000), live_size;
		size_t edits = pick(10), apart = round % 2 == 0 ? 40 : 3;
		for (size_t i = 0; i < size; i++)
			recorded[i] = (unsigned char)(round % 3 == 0 ? pick(256) : 'a' + pick(20));
		live_size = edit(recorded, size, live, edits, apart);
		run_streams(&run, NULL, recorded, size, live, live_size, 0);
		expect_reconstructs(&run, recorded, size, live, live_size);
		EXPECT(apart < 40 || run.count <= edits);
		for (size_t i = 0; i < run.count && apart == 40; i++)
			EXPECT(run.told[i].size[0] <= 6 && run.told[i].size[1] <= 6);
		run_streams(&other, NULL, recorded, size, live, live_size, 1 + pick(200));
		EXPECT(other.count == run.count);
		EXPECT(memcmp(other.told, run.told, run.count * sizeof(run.told[0])) == 0);
		run_finish(&run);
		run_finish(&other);
	}
}

/* Text with values in it that differ; `flip` is the place of one byte that differs besides, -1:
 * none. */
static size_t
masked_text(unsigned char *text, size_t words, uint64_t values, long flip)
{
	static const char *const word[] = {"alpha ", "beta\r\n", "gamma;", "  "};
	uint64_t layout = 99, kept = seed;
	size_t size = 0, value;

	for (size_t i = 0; i < words; i++) {
		/* the words are the same each time, the values are not */
		seed = layout + i;
		size_t kind = (pick(1000), pick(6));
		seed = values + i;
		value = (pick(1000), pick(100000));
		if (kind == 4)
			size += (size_t)sprintf((char *)text + size, "id=%zu", value);
		else if (kind == 5)
			size += (size_t)sprintf((char *)text + size, "<%.*s>", (int)(value % 30),
			    "a value, shorter\tor longer....");
		else
			size += (size_t)sprintf((char *)text + size, "%s", word[kind % 4]);
		if ((long)i == flip)
			text[size++] = '#';
	}
	seed = kept;
	return size;
}

static void
test_random_masked(void)
{
	static const char *const patterns[] = {"id=[0-9]+", "<[^>]*>", "none(.|\\n)*here", NULL};
	static unsigned char recorded[60000], live[60000];
	static struct run run;
	size_t met = 0;

	for (size_t round = 1; round < 60; round++) {
		size_t words = 1 + pick(round % 5 == 0 ? 2000 : 100);
		size_t piece = pick(3) == 0 ? 0 : 1 + pick(300);
		size_t sizes[2] = {masked_text(recorded, words, 7, -1),
		    masked_text(live, words, 1000 * round, -1)};
		run_streams(&run, patterns, recorded, sizes[0], live, sizes[1], piece);
		EXPECT(run.count == 0);
		met += run.masked;
		run_finish(&run);
		/* a byte more, somewhere */
		sizes[1] = masked_text(live, words, 1000 * round, (long)pick(words));
		run_streams(&run, patterns, recorded, sizes[0], live, sizes[1], piece);
		EXPECT(run.count == 1 && run.told[0].size[0] == 0 && run.told[0].size[1] == 1);
		EXPECT(live[run.told[0].offset[1]] == '#');
		run_finish(&run);
	}
	EXPECT(met > 1000);
}

/* Streams with nothing in common, far larger than the window. */
static void
test_nothing_in_common(void)
{
	static struct run run;
	enum { SIZE = 700000 };
	unsigned char *recorded = malloc(SIZE + 100), *live = malloc(SIZE + 100);

	EXPECT(recorded != NULL && live != NULL);
	for (size_t i = 0; i < SIZE; i++) {
		recorded[i] = (unsigned char)pick(128);
		live[i] = (unsigned char)(128 + pick(128));
	}
	memset(recorded + SIZE, 'x', 100);
	memset(live + SIZE, 'x', 100);
	for (size_t piece = 0; piece <= 30000; piece += 15000) {
		run_streams(&run, NULL, recorded, SIZE, live, SIZE, piece);
		EXPECT(run.count == 1 && run.told[0].offset[0] == 0);
		EXPECT(run.told[0].size[0] == SIZE && run.told[0].size[1] == SIZE);
		run_finish(&run);
		run_streams(&run, NULL, recorded, SIZE, live, 100000, piece);
		EXPECT(run.count == 1 && run.told[0].size[0] == SIZE);
		EXPECT(run.told[0].size[1] == 100000);
		run_finish(&run);
		run_streams(&run, NULL, recorded, SIZE + 100, live, SIZE + 100, piece);
		EXPECT(run.count == 1 && run.told[0].size[0] == SIZE);
		run_finish(&run);
		run_streams(&run, NULL, recorded, 0, live, SIZE, piece);
		EXPECT(run.count == 1 && run.told[0].size[1] == SIZE);
		run_finish(&run);
	}
	free(recorded);
	free(live);
}

/* Five bytes inserted, lost or replaced in lines of few words, which repeat: the nearest place
 * where both seem to go on alike is often not the right one. */
static void
test_words_that_repeat(void)
{
	static const char *const words[] = {"alpha", "beta", "gamma", "delta"};
	static struct run run;
	char recorded[8000], live[8005];

	for (size_t round = 0; round < 3000; round++) {
		size_t size = 0, gone = round % 3 == 0 ? 0 : 5, added = round % 3 == 1 ? 0 : 5, at;
		while (size < 1000)
			size += (size_t)sprintf(
			    recorded + size, "%s%c", words[pick(4)], pick(15) == 0 ? '\n' : ' ');
		at = pick(size - gone);
		memcpy(live, recorded, at);
		memcpy(live + at, "@#@#@", added);
		memcpy(live + at + added, recorded + at + gone, size - at - gone);
		run_streams(&run, NULL, recorded, size, live, size - gone + added,
		    round % 2 == 0 ? 0 : 1 + pick(300));
		expect_reconstructs(&run, (unsigned char *)recorded, size, (unsigned char *)live,
		    size - gone + added);
		EXPECT(run.count == 1);
		run_finish(&run);
	}
}

int
main(void)
{
	test_every_place();
	test_words_that_repeat();
	test_random_edits();
	test_random_masked();
	test_nothing_in_common();
	return 0;
}
