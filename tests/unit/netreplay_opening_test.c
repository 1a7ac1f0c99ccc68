/* What a client has sent so far, compared with the beginnings of recordings. */
#include "netreplay/opening.h"

#include "tests/unit/test.h"

enum { OPEN, ENDED };

struct opening_case {
	const char *recorded;
	int recorded_ended;
	const char *live;
	int live_ended;
	enum opening_fit fit;
	size_t reached;
};

static const struct opening_case plain[] = {
    {"PING\r\n", ENDED, "", OPEN, OPENING_FITS, 0},
    {"PING\r\n", ENDED, "PI", OPEN, OPENING_FITS, 2},
    {"PING\r\n", ENDED, "PING\r\n", OPEN, OPENING_FITS, 6},
    {"PING\r\n", ENDED, "PING\r\n", ENDED, OPENING_FITS, 6},
    {"PING\r\n", OPEN, "PING\r\n", OPEN, OPENING_FITS, 6},
    {"PING\r\n", OPEN, "PING\r\n", ENDED, OPENING_BEYOND, 6},
    {"PING\r\n", OPEN, "PING\r\nQ", OPEN, OPENING_BEYOND, 6},
    {"PING\r\n", ENDED, "PING\r\nQ", OPEN, OPENING_DEPARTS, 6},
    {"PING\r\n", ENDED, "PI", ENDED, OPENING_DEPARTS, 2},
    {"PING\r\n", ENDED, "PONG", OPEN, OPENING_DEPARTS, 1},
    {"", ENDED, "", OPEN, OPENING_FITS, 0},
    {"", ENDED, "", ENDED, OPENING_FITS, 0},
    {"", ENDED, "x", OPEN, OPENING_DEPARTS, 0},
};

/* "id=[0-9]+" and "<[a-z]*>" count as equal. */
static const struct opening_case masked[] = {
    {"id=123 go", ENDED, "id=123 go", OPEN, OPENING_FITS, 9},
    {"id=123 go", ENDED, "id=7 go", OPEN, OPENING_FITS, 9},
    {"id=123 go", ENDED, "id=123456789 go", OPEN, OPENING_FITS, 9},
    {"id=123 go", ENDED, "id=98", OPEN, OPENING_FITS, 6},
    {"id=123 go", ENDED, "id=98 no", OPEN, OPENING_DEPARTS, 7},
    {"id=123 go", ENDED, "id=x", OPEN, OPENING_MAYBE, 0},
    {"id=123 go", ENDED, "id=x", ENDED, OPENING_DEPARTS, 3},
    {"id=123 go", ENDED, "id=x 12", OPEN, OPENING_DEPARTS, 3},
    {"id=1 id=2 id=3", ENDED, "id=11 id=222 id=3333", ENDED, OPENING_FITS, 14},
    {"id=1 id=2 id=3", ENDED, "id=11 ID=2", OPEN, OPENING_DEPARTS, 5},
    {"a <abc> b", ENDED, "a <> b", OPEN, OPENING_FITS, 9},
    {"a <abc> b", ENDED, "a <x", OPEN, OPENING_MAYBE, 2},
    {"a <abc> b", ENDED, "a (abc) b", OPEN, OPENING_DEPARTS, 2},
    {"a <> b", ENDED, "a <long> b", OPEN, OPENING_FITS, 6},
    {"id=123", OPEN, "id=456 more", OPEN, OPENING_BEYOND, 6},
    /* What is known of the recording may end within a match. */
    {"a <ab", OPEN, "a <xy> b", OPEN, OPENING_BEYOND, 3},
};

static void
check(const struct mask_set *masks, const struct opening_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct opening_case *each = &cases[i];
		struct opening recorded = {(const unsigned char *)each->recorded,
		    strlen(each->recorded), each->recorded_ended == ENDED};
		struct opening live = {(const unsigned char *)each->live, strlen(each->live),
		    each->live_ended == ENDED};
		size_t reached;
		enum opening_fit fit = opening_compare(masks, &recorded, &live, &reached);

		if (fit != each->fit || reached != each->reached) {
			fprintf(stderr, "\"%s\" and \"%s\": %d at %zu\n", each->recorded,
			    each->live, (int)fit, reached);
			exit(1);
		}
	}
}

/* Every beginning of a fitting stream fits or may yet fit; one that departs never fits again. */
static void
check_growing(const struct mask_set *masks, const char *recorded, const char *live)
{
	struct opening whole = {(const unsigned char *)recorded, strlen(recorded), true};
	size_t reached;

	for (size_t size = 0; size <= strlen(live); size++) {
		struct opening part = {(const unsigned char *)live, size, false};

		EXPECT(opening_compare(masks, &whole, &part, &reached) != OPENING_DEPARTS);
	}
}

int
main(void)
{
	struct mask_set masks;
	char error[256];

	check(NULL, plain, sizeof(plain) / sizeof(plain[0]));
	mask_set_init(&masks);
	check(&masks, plain, sizeof(plain) / sizeof(plain[0]));
	EXPECT(mask_set_add(&masks, "id=[0-9]+", error, sizeof(error)) == 0);
	EXPECT(mask_set_add(&masks, "<[a-z]*>", error, sizeof(error)) == 0);
	check(&masks, plain, sizeof(plain) / sizeof(plain[0]));
	check(&masks, masked, sizeof(masked) / sizeof(masked[0]));
	check_growing(&masks, "GET <abc> id=12345\r\nid=1\r\n", "GET <xyz> id=9\r\nid=777777\r\n");
	mask_set_release(&masks);
	return 0;
}
