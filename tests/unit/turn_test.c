/* Response times: from the client's last data to the server's first after it. */
#include "format/turn.h"

#include "tests/unit/test.h"

static bool
add(struct turn_tracker *tracker, enum side side, enum record_type type, int64_t time,
    int64_t *response)
{
	struct record record = {side, type, time, type == RECORD_DATA ? 1 : 0};

	return turn_tracker_add(tracker, &record, response);
}

int
main(void)
{
	struct turn_tracker tracker;
	int64_t response = -1;

	turn_tracker_init(&tracker);
	EXPECT(!add(&tracker, SIDE_CLIENT, RECORD_CON, 1, &response));
	EXPECT(!add(&tracker, SIDE_SERVER, RECORD_DATA, 5, &response)); /* a greeting */
	EXPECT(!add(&tracker, SIDE_CLIENT, RECORD_DATA, 10, &response));
	EXPECT(!add(&tracker, SIDE_CLIENT, RECORD_DATA, 20, &response));
	EXPECT(!add(&tracker, SIDE_CLIENT, RECORD_HUP, 22, &response));
	EXPECT(add(&tracker, SIDE_SERVER, RECORD_DATA, 25, &response) && response == 5);
	EXPECT(!add(&tracker, SIDE_SERVER, RECORD_DATA, 30, &response));
	EXPECT(!add(&tracker, SIDE_CLIENT, RECORD_DATA, 40, &response));
	EXPECT(!add(&tracker, SIDE_SERVER, RECORD_HUP, 41, &response));
	/* times that go backwards */
	EXPECT(add(&tracker, SIDE_SERVER, RECORD_DATA, 39, &response) && response == 0);
	puts("ok turn_test");
	return 0;
}
