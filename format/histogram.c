#include "format/histogram.h"

#include <stdlib.h>

/*
 * Each power of two is divided into 64 equal slots, so that a slot is at most 1/64 of its values
 * wide and its middle is off by less than 0.8%. Below 64 every value has a slot of its own.
 */
#define SLOT_BITS 6
#define SLOTS (1 << SLOT_BITS)
#define VALUE_BITS 47 /* 2^47 ns are 39 hours; what is longer counts in the last slot */
#define SLOT_COUNT ((VALUE_BITS - SLOT_BITS + 1) * SLOTS)

struct histogram {
	uint64_t count;
	int64_t min, max;
	long double sum;
	uint64_t slots[SLOT_COUNT];
};

/* The position of the highest bit set. */
static int
high_bit(int64_t value)
{
	return 63 - __builtin_clzll((unsigned long long)value);
}

static size_t
slot_of(int64_t value)
{
	int shift;

	if (value >> VALUE_BITS != 0)
		return SLOT_COUNT - 1;
	if (value < SLOTS)
		return (size_t)value;
	shift = high_bit(value) - SLOT_BITS;
	return (size_t)shift * SLOTS + (size_t)(value >> shift);
}

/* The least value of a slot; slot_begin(slot + 1) is one beyond its greatest. */
static int64_t
slot_begin(size_t slot)
{
	size_t shift;

	if (slot < 2 * SLOTS)
		return (int64_t)slot;
	shift = slot / SLOTS - 1;
	return (int64_t)(SLOTS + slot % SLOTS) << shift;
}

struct histogram *
histogram_new(void)
{
	return calloc(1, sizeof(struct histogram));
}

void
histogram_free(struct histogram *histogram)
{
	free(histogram);
}

void
histogram_add(struct histogram *histogram, int64_t nanoseconds)
{
	if (nanoseconds < 0)
		nanoseconds = 0;
	if (histogram->count == 0 || nanoseconds < histogram->min)
		histogram->min = nanoseconds;
	if (nanoseconds > histogram->max)
		histogram->max = nanoseconds;
	histogram->count++;
	histogram->sum += (long double)nanoseconds;
	histogram->slots[slot_of(nanoseconds)]++;
}

void
histogram_merge(struct histogram *into, const struct histogram *from)
{
	if (from->count == 0)
		return;
	if (into->count == 0 || from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	into->count += from->count;
	into->sum += from->sum;
	for (size_t i = 0; i < SLOT_COUNT; i++)
		into->slots[i] += from->slots[i];
}

uint64_t
histogram_count(const struct histogram *histogram)
{
	return histogram->count;
}

int64_t
histogram_min(const struct histogram *histogram)
{
	return histogram->min;
}

int64_t
histogram_max(const struct histogram *histogram)
{
	return histogram->max;
}

int64_t
histogram_mean(const struct histogram *histogram)
{
	if (histogram->count == 0)
		return 0;
	return (int64_t)(histogram->sum / (long double)histogram->count);
}

int64_t
histogram_percentile(const struct histogram *histogram, double percent)
{
	long double exact = (long double)percent / 100 * (long double)histogram->count;
	uint64_t rank, seen = 0;
	int64_t middle;
	size_t slot = 0;

	if (histogram->count == 0)
		return 0;
	if (exact < 1)
		exact = 1;
	if (exact >= (long double)histogram->count)
		return histogram->max;
	/* 99.9% of 1000 is 999, though 99.9 has no exact double */
	rank = (uint64_t)(exact - 1e-9L * exact);
	if ((long double)rank < exact - 1e-9L * exact)
		rank++;
	while ((seen += histogram->slots[slot]) < rank)
		slot++;
	middle = slot_begin(slot) + (slot_begin(slot + 1) - slot_begin(slot)) / 2;
	if (middle < histogram->min)
		return histogram->min;
	return middle < histogram->max ? middle : histogram->max;
}

void
histogram_rows(const struct histogram *histogram,
    void (*row)(void *context, int64_t from, int64_t to, uint64_t count), void *context)
{
	size_t slot = slot_of(histogram->min), last = slot_of(histogram->max);
	int64_t from = histogram->min > 0 ? slot_begin(slot) : 0;

	if (histogram->count == 0)
		return;
	if (from > 0)
		from = (int64_t)1 << high_bit(from);
	while (slot <= last) {
		int64_t to = from > 0 ? 2 * from : 1;
		uint64_t count = 0;
		for (; slot < SLOT_COUNT && slot_begin(slot) < to; slot++)
			count += histogram->slots[slot];
		if (slot == SLOT_COUNT && histogram->max >= to)
			to = histogram->max < INT64_MAX ? histogram->max + 1 : INT64_MAX;
		row(context, from, to, count);
		from = to;
	}
}
