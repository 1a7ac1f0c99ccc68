/* Lookups beside the loop: answered, shared, cancelled, left behind. */
#include "net/resolver.h"
#include "tests/unit/test.h"

struct asked {
	int answers;
	size_t found;
	const char *reason;
};

static struct loop *loop;
static int awaited; /* answers until the loop stops */

static void
answer(void *context, struct address_list *list, const char *reason)
{
	struct asked *asked = context;

	asked->answers++;
	asked->found = list->count;
	asked->reason = reason;
	address_list_release(list);
	if (--awaited == 0)
		loop_stop(loop);
}

static struct query *
ask(struct resolver *resolver, const char *host, struct asked *asked)
{
	struct address_name name;

	memset(asked, 0, sizeof(*asked));
	EXPECT(address_join(host, "80", &name) == NULL);
	return resolver_ask(resolver, &name, AF_UNSPEC, answer, asked);
}

static void
await(int answers)
{
	awaited = answers;
	EXPECT(loop_run(loop) == 0);
}

static void
test_answers(void)
{
	struct resolver *resolver = resolver_new(loop);
	struct asked asked[40];

	EXPECT(resolver != NULL);
	for (int i = 0; i < 40; i++)
		EXPECT(ask(resolver, i % 2 != 0 ? "127.0.0.1" : "localhost", &asked[i]) != NULL);
	await(40);
	for (int i = 0; i < 40; i++)
		EXPECT(asked[i].answers == 1 && asked[i].reason == NULL && asked[i].found > 0);
	EXPECT(ask(resolver, "not a name", &asked[0]) != NULL);
	await(1);
	EXPECT(asked[0].reason != NULL && asked[0].found == 0);
	resolver_free(resolver);
}

static void
test_cancel(void)
{
	struct resolver *resolver = resolver_new(loop);
	struct asked one, two, three;
	struct query *query;

	EXPECT(resolver != NULL);
	EXPECT(ask(resolver, "localhost", &one) != NULL);
	query = ask(resolver, "localhost", &two);
	EXPECT(query != NULL);
	resolver_cancel(query);
	resolver_cancel(ask(resolver, "127.0.0.2", &three));
	await(1);
	EXPECT(one.answers == 1 && two.answers == 0 && three.answers == 0);
	resolver_cancel(NULL);
	resolver_free(resolver);
}

/* Threads may be at work when the resolver goes, and lookups wait for them. */
static void
test_leave(void)
{
	for (int round = 0; round < 20; round++) {
		struct resolver *resolver = resolver_new(loop);
		struct asked asked[20];
		char host[48];

		EXPECT(resolver != NULL);
		for (int i = 0; i < 20; i++) {
			snprintf(host, sizeof(host), "127.0.%d.%d", round, i);
			resolver_cancel(ask(resolver, host, &asked[i]));
		}
		resolver_free(resolver);
	}
	resolver_free(NULL);
}

/* More names than may wait are refused, not queued for ever. */
static void
test_bound(void)
{
	struct resolver *resolver = resolver_new(loop);
	static struct asked asked[4000];
	int taken = 0;
	char host[48];

	EXPECT(resolver != NULL);
	for (int i = 0; i < 4000; i++) {
		snprintf(host, sizeof(host), "127.9.%d.%d", i / 250, i % 250);
		if (ask(resolver, host, &asked[i]) != NULL)
			taken++;
		else
			EXPECT(errno == EAGAIN);
	}
	EXPECT(taken == 1024);
	await(taken);
	resolver_free(resolver);
}

int
main(void)
{
	loop = loop_new(LOOP_EPOLL);
	EXPECT(loop != NULL);
	test_answers();
	test_cancel();
	test_leave();
	test_bound();
	loop_free(loop);
	puts("ok resolver_test");
	return 0;
}
