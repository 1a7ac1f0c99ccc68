#include <string.h>

#include "net/address.h"
#include "tests/unit/test.h"

static const char *
split(const char *text, const char *host, const char *port)
{
	struct address_name name;
	const char *reason = address_split(text, &name);

	if (reason == NULL) {
		EXPECT(strcmp(name.host, host) == 0);
		EXPECT(strcmp(name.port, port) == 0);
	}
	return reason;
}

static void
test_split(void)
{
	char long_path[300] = "unix:/";

	EXPECT(split("localhost:80", "localhost", "80") == NULL);
	EXPECT(split("1.2.3.4:http", "1.2.3.4", "http") == NULL);
	EXPECT(split("[::1]:6379", "::1", "6379") == NULL);
	EXPECT(split("[fe80::1%lo]:1", "fe80::1%lo", "1") == NULL);
	EXPECT(split(":8080", "", "8080") == NULL);
	EXPECT(split("unix:/run/x.sock", "/run/x.sock", "") == NULL);
	EXPECT(split("localhost", "", "") != NULL);
	EXPECT(split("localhost:", "", "") != NULL);
	EXPECT(split("localhost:65536", "", "") != NULL);
	EXPECT(split("localhost:+70000", "", "") != NULL);
	EXPECT(split("::1:80", "", "") != NULL);
	EXPECT(split("[::1]80", "", "") != NULL);
	EXPECT(split("[::1", "", "") != NULL);
	EXPECT(split("[]:80", "", "") != NULL);
	EXPECT(split("unix:", "", "") != NULL);
	EXPECT(split("", "", "") != NULL);
	memset(long_path + 6, 'a', sizeof(long_path) - 7);
	EXPECT(split(long_path, "", "") != NULL);
}

static void
test_join(void)
{
	struct address_name name;

	EXPECT(address_join("[::1]", "80", &name) == NULL && strcmp(name.host, "::1") == 0);
	EXPECT(address_join("::1", "80", &name) == NULL && strcmp(name.host, "::1") == 0);
	EXPECT(address_join("h", "3com-tsmux", &name) == NULL); /* a service's name */
	EXPECT(address_join("h", "-1", &name) != NULL);
	EXPECT(address_join("h", "+80", &name) != NULL);
	EXPECT(address_join("h", " 80", &name) != NULL);
	EXPECT(address_join("h", "\t80", &name) != NULL);
	EXPECT(address_join("h", "99999", &name) != NULL);
	EXPECT(address_join("h", "", &name) != NULL);
}

/* Resolve `text`, format the first address, go through the system's form and back. */
static void
round_trip(const char *text, const char *expected)
{
	struct address_name name;
	struct address_list list;
	struct address back;
	struct sockaddr_storage storage;
	socklen_t length;
	char formatted[ADDRESS_TEXT_MAX];

	EXPECT(address_split(text, &name) == NULL);
	EXPECT(address_resolve(&name, AF_UNSPEC, false, &list) == NULL);
	EXPECT(list.count >= 1);
	EXPECT(strcmp(address_format(&list.items[0], formatted), expected) == 0);
	if (list.items[0].family != AF_UNIX) {
		address_to_sockaddr(&list.items[0], &storage, &length);
		address_from_sockaddr(&back, (struct sockaddr *)&storage, length);
		EXPECT(strcmp(address_format(&back, formatted), expected) == 0);
	}
	address_list_release(&list);
}

static void
test_round_trip(void)
{
	round_trip("127.0.0.1:80", "127.0.0.1:80");
	round_trip("[::1]:65535", "[::1]:65535");
	round_trip("[::ffff:1.2.3.4]:5", "1.2.3.4:5");
	round_trip("[fe80::1%lo]:7", "[fe80::1%lo]:7");
	round_trip("unix:/tmp/a b", "unix:/tmp/a b");
}

static void
test_loopback(void)
{
	struct address address = {.family = AF_INET, .u.bytes = {127, 3, 2, 1}};

	EXPECT(address_is_loopback(&address));
	address.u.bytes[0] = 10;
	EXPECT(!address_is_loopback(&address));
}

int
main(void)
{
	test_split();
	test_join();
	test_round_trip();
	test_loopback();
	puts("ok address_test");
	return 0;
}
