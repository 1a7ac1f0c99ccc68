#include "nettunnel/outbox.h"
#include "tests/unit/test.h"

static struct chunk_pool *pool;

/* Put a frame of `size` bytes of `byte`. */
static void
put_data(struct outbox *outbox, uint64_t stream, char byte, size_t size)
{
	size_t space;
	unsigned char *at = chunk_pool_space(pool, &space);
	struct slice slice;

	EXPECT(at != NULL && space >= size);
	memset(at, byte, size);
	slice = chunk_pool_slice(pool, size);
	EXPECT(outbox_put_data(outbox, stream, &slice) == 0);
}

/* What would be sent next, as one text. */
static size_t
collect(const struct outbox *outbox, unsigned char *out)
{
	struct iovec vectors[64];
	size_t count = outbox_vectors(outbox, vectors, 64), size = 0;

	for (size_t i = 0; i < count; i++) {
		memcpy(out + size, vectors[i].iov_base, vectors[i].iov_len);
		size += vectors[i].iov_len;
	}
	return size;
}

static unsigned char all[200000], again[200000];

/* Three frames: 12, 12 + 5000, 12 + 1 bytes. */
static size_t
fill(struct outbox *outbox)
{
	outbox_init(outbox);
	EXPECT(outbox_put(outbox, FRAME_OPEN, 1, NULL, 0) == 0);
	put_data(outbox, 1, 'a', 5000);
	EXPECT(outbox_put(outbox, FRAME_RESET, 1, "\1", 1) == 0);
	EXPECT(outbox->put == 3 && outbox->retained == 5000);
	return collect(outbox, all);
}

static void
test_sent_in_any_pieces(void)
{
	struct outbox outbox;
	size_t total = fill(&outbox);

	EXPECT(total == 12 + 5012 + 13 && outbox.unsent_bytes == total);
	for (size_t sent = 0; sent < total; sent += 7) {
		size_t step = total - sent < 7 ? total - sent : 7;

		EXPECT(collect(&outbox, again) == total - sent);
		EXPECT(memcmp(again, all + sent, total - sent) == 0);
		outbox_sent(&outbox, step);
	}
	EXPECT(outbox.unsent == NULL && outbox.unsent_bytes == 0);
	EXPECT(outbox.retained == 5000); /* until it is acknowledged */
	outbox_release(&outbox);
	EXPECT(outbox.retained == 0);
}

static void
test_acknowledged_only_what_was_sent(void)
{
	struct outbox outbox;

	fill(&outbox);
	EXPECT(outbox_ack(&outbox, 1) == -1);
	outbox_sent(&outbox, 12 + 100);
	EXPECT(outbox_ack(&outbox, 1) == 0 && outbox.acked == 1);
	EXPECT(outbox_ack(&outbox, 2) == -1); /* sent in part only */
	EXPECT(outbox_ack(&outbox, 4) == -1); /* never put */
	outbox_sent(&outbox, 5012 - 100);
	EXPECT(outbox_ack(&outbox, 2) == 0 && outbox.retained == 0);
	EXPECT(outbox_ack(&outbox, 1) == 0 && outbox.acked == 2); /* an old one changes nothing */
	outbox_release(&outbox);
}

static void
test_rewound_to_where_the_other_end_is(void)
{
	struct outbox outbox;
	size_t total = fill(&outbox);

	outbox_sent(&outbox, 12 + 5012 + 5); /* the third in part */
	EXPECT(outbox_rewind(&outbox, 3) == -1);
	EXPECT(outbox_rewind(&outbox, 4) == -1);
	EXPECT(outbox_rewind(&outbox, 1) == 0);
	EXPECT(collect(&outbox, again) == total - 12 && memcmp(again, all + 12, total - 12) == 0);
	EXPECT(outbox.unsent_bytes == total - 12);
	EXPECT(outbox_rewind(&outbox, 0) == -1); /* it has said that it has the first */
	outbox_sent(&outbox, total - 12);
	EXPECT(outbox_rewind(&outbox, 3) == 0);
	EXPECT(collect(&outbox, again) == 0 && outbox.unsent_bytes == 0);
	EXPECT(outbox_put(&outbox, FRAME_BYE, 0, NULL, 0) == 0 && outbox.put == 4);
	EXPECT(collect(&outbox, again) == 12);
	outbox_release(&outbox);
}

static void
test_rest_of_a_frame_that_was_begun(void)
{
	struct outbox outbox;
	struct iovec rest[2];

	fill(&outbox);
	EXPECT(outbox_rest(&outbox, rest) == 0);
	outbox_sent(&outbox, 12 + 4);
	EXPECT(outbox_rest(&outbox, rest) == 2);
	EXPECT(rest[0].iov_len == 8 && rest[1].iov_len == 5000);
	outbox_sent(&outbox, 8 + 4990);
	EXPECT(outbox_rest(&outbox, rest) == 1 && rest[0].iov_len == 10);
	outbox_cut(&outbox);
	EXPECT(collect(&outbox, again) == 10 && outbox.put == 2);
	EXPECT(outbox_put(&outbox, FRAME_BYE, 0, NULL, 0) == 0);
	EXPECT(collect(&outbox, again) == 22 && again[10] == FRAME_BYE);
	outbox_release(&outbox);
}

static void
test_cut_at_a_boundary(void)
{
	struct outbox outbox;

	fill(&outbox);
	outbox_sent(&outbox, 12);
	outbox_cut(&outbox);
	EXPECT(collect(&outbox, again) == 0 && outbox.put == 1 && outbox.retained == 0);
	EXPECT(outbox_ack(&outbox, 1) == 0);
	outbox_release(&outbox);
}

static void
test_many_frames_in_few_vectors(void)
{
	struct outbox outbox;
	size_t total = 0;

	outbox_init(&outbox);
	for (int i = 0; i < 100; i++)
		put_data(&outbox, (uint64_t)i + 1, (char)i, 1000);
	while (outbox.unsent != NULL) {
		size_t size = collect(&outbox, again);

		EXPECT(size == 32 * 1012 || size == 4 * 1012);
		outbox_sent(&outbox, size);
		total += size;
	}
	EXPECT(total == 100 * 1012);
	outbox_release(&outbox);
}

int
main(void)
{
	pool = chunk_pool_new(CHUNK_SLAB_SIZE);
	EXPECT(pool != NULL);
	test_sent_in_any_pieces();
	test_acknowledged_only_what_was_sent();
	test_rewound_to_where_the_other_end_is();
	test_rest_of_a_frame_that_was_begun();
	test_cut_at_a_boundary();
	test_many_frames_in_few_vectors();
	chunk_pool_free(pool);
	puts("ok nettunnel_outbox_test");
	return 0;
}
