/* --fail-if: conditions on response times. */
#include "netreplay/fail_if.h"

#include "tests/unit/test.h"

#define MILLISECOND INT64_C(1000000)

static void
test_parse(void)
{
	struct fail_if condition;

	EXPECT(fail_if_parse("p99>1.5x", &condition) == NULL);
	EXPECT(condition.value == FAIL_PERCENTILE && condition.percent == 99);
	EXPECT(condition.factor == 1.5 && !condition.or_equal);
	EXPECT(strcmp(condition.text, "p99>1.5x") == 0);
	EXPECT(fail_if_parse("p99.9 >= 20ms", &condition) == NULL);
	EXPECT(condition.percent == 99.9 && condition.or_equal);
	EXPECT(condition.factor == 0 && condition.limit == 20 * MILLISECOND);
	EXPECT(fail_if_parse("max>=1s", &condition) == NULL);
	EXPECT(condition.value == FAIL_MAX && condition.limit == 1000 * MILLISECOND);
	EXPECT(fail_if_parse("mean>2x", &condition) == NULL);
	EXPECT(condition.value == FAIL_MEAN && condition.factor == 2);
	EXPECT(fail_if_parse("p50>0", &condition) == NULL);
	EXPECT(condition.factor == 0 && condition.limit == 0);
}

static void
test_refused(void)
{
	static const char *const wrong[] = {"", "p", "p>1s", "99>1s", "p0>1s", "p100.1>1s",
	    "p9.9.9>1s", "p99", "p99<1s", "p99=1s", "p99>", "p99>x", "p99>0x", "p99>-1s",
	    "p99>1.5xx", "p99>1y", "min>1s", "maximum>1s", "p99>>1s", "p99>1s "};
	struct fail_if condition;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (fail_if_parse(wrong[i], &condition) == NULL)
			fprintf(stderr, "taken: %s\n", wrong[i]);
		EXPECT(fail_if_parse(wrong[i], &condition) != NULL);
	}
}

static bool
holds(const char *text, const struct histogram *recorded, const struct histogram *live)
{
	struct fail_if condition;

	EXPECT(fail_if_parse(text, &condition) == NULL);
	return fail_if_holds(&condition, recorded, live);
}

static void
test_holds(void)
{
	struct histogram *recorded = histogram_new(), *live = histogram_new();

	EXPECT(recorded != NULL && live != NULL);
	EXPECT(!holds("max>=0", recorded, live)); /* nothing was measured */
	for (int i = 1; i <= 100; i++)
		histogram_add(live, i * 2 * MILLISECOND);
	EXPECT(!holds("p99>0.1x", recorded, live)); /* nothing to compare with */
	for (int i = 1; i <= 100; i++)
		histogram_add(recorded, i * MILLISECOND);
	EXPECT(holds("max>199ms", recorded, live));
	EXPECT(!holds("max>200ms", recorded, live));
	EXPECT(holds("max>=200ms", recorded, live));
	EXPECT(holds("max>=2x", recorded, live));
	EXPECT(!holds("max>2x", recorded, live));
	EXPECT(holds("p50>1.9x", recorded, live));
	EXPECT(!holds("p50>2.1x", recorded, live));
	EXPECT(holds("p50>90ms", recorded, live));
	EXPECT(!holds("p50>110ms", recorded, live));
	EXPECT(holds("mean>100ms", recorded, live));
	EXPECT(!holds("mean>102ms", recorded, live));
	histogram_free(recorded);
	histogram_free(live);
}

int
main(void)
{
	test_parse();
	test_refused();
	test_holds();
	puts("ok netreplay_fail_if_test");
	return 0;
}
