/* Percentiles against a sorted list of the same values. */
#include "format/histogram.h"

#include "tests/unit/test.h"

#define VALUES 20000

static int
compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

/* Numbers that spread over all magnitudes from 1 us to a day. */
static int64_t
next_value(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int64_t)(1000 + (*state >> 17) % (UINT64_C(1) << (10 + (*state >> 11) % 37)));
}

static void
test_percentiles(void)
{
	static const struct {
		double percent;
		size_t rank; /* among 20000 values */
	} ranks[] = {{0.001, 1}, {1, 200}, {25, 5000}, {50, 10000}, {90, 18000}, {99, 19800},
	    {99.9, 19980}, {99.99, 19998}};
	struct histogram *histogram = histogram_new(), *half = histogram_new();
	static int64_t values[VALUES];
	uint64_t state = 1;

	EXPECT(histogram != NULL && half != NULL);
	for (size_t i = 0; i < VALUES; i++) {
		values[i] = next_value(&state);
		histogram_add(i % 2 == 0 ? histogram : half, values[i]);
	}
	histogram_merge(histogram, half);
	qsort(values, VALUES, sizeof(values[0]), compare);
	EXPECT(histogram_count(histogram) == VALUES);
	EXPECT(histogram_min(histogram) == values[0]);
	EXPECT(histogram_max(histogram) == values[VALUES - 1]);
	EXPECT(histogram_percentile(histogram, 100) == values[VALUES - 1]);
	for (size_t i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++) {
		int64_t is = histogram_percentile(histogram, ranks[i].percent);
		int64_t should = values[ranks[i].rank - 1];
		EXPECT(llabs(is - should) * 100 < should);
	}
	histogram_free(histogram);
	histogram_free(half);
}

static void
test_few(void)
{
	struct histogram *histogram = histogram_new();

	EXPECT(histogram_percentile(histogram, 50) == 0 && histogram_mean(histogram) == 0);
	histogram_add(histogram, -5);
	EXPECT(histogram_max(histogram) == 0 && histogram_count(histogram) == 1);
	histogram_add(histogram, 10);
	histogram_add(histogram, 20);
	EXPECT(histogram_percentile(histogram, 50) == 10 && histogram_mean(histogram) == 10);
	EXPECT(histogram_percentile(histogram, 66) == 10);
	EXPECT(histogram_percentile(histogram, 67) == 20);
	histogram_add(histogram, INT64_MAX);
	EXPECT(histogram_percentile(histogram, 100) == INT64_MAX);
	histogram_free(histogram);
}

struct rows {
	int64_t from[64], to[64];
	uint64_t count[64];
	int size;
};

static void
row(void *context, int64_t from, int64_t to, uint64_t count)
{
	struct rows *rows = context;

	rows->from[rows->size] = from;
	rows->to[rows->size] = to;
	rows->count[rows->size++] = count;
}

static void
test_rows(void)
{
	struct histogram *histogram = histogram_new();
	struct rows rows = {.size = 0};

	histogram_rows(histogram, row, &rows);
	EXPECT(rows.size == 0);
	histogram_add(histogram, 1000);
	histogram_add(histogram, 1023);
	histogram_add(histogram, 1024);
	histogram_add(histogram, 5000);
	histogram_rows(histogram, row, &rows);
	EXPECT(rows.size == 4);
	EXPECT(rows.from[0] == 512 && rows.to[0] == 1024 && rows.count[0] == 2);
	EXPECT(rows.from[1] == 1024 && rows.to[1] == 2048 && rows.count[1] == 1);
	EXPECT(rows.count[2] == 0);
	EXPECT(rows.from[3] == 4096 && rows.to[3] == 8192 && rows.count[3] == 1);
	histogram_add(histogram, 0);
	histogram_add(histogram, 1);
	histogram_add(histogram, INT64_MAX);
	rows.size = 0;
	histogram_rows(histogram, row, &rows);
	EXPECT(rows.from[0] == 0 && rows.to[0] == 1 && rows.count[0] == 1);
	EXPECT(rows.from[1] == 1 && rows.to[1] == 2 && rows.count[1] == 1);
	EXPECT(rows.to[rows.size - 1] == INT64_MAX && rows.count[rows.size - 1] == 1);
	for (int i = 1; i < rows.size; i++)
		EXPECT(rows.from[i] == rows.to[i - 1]);
	histogram_free(histogram);
}

int
main(void)
{
	test_percentiles();
	test_few();
	test_rows();
	puts("ok histogram_test");
	return 0;
}
