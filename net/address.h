/* Addresses as users write them: IPv4, IPv6 with scope, unix:, names with numeric or named ports.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_MAX 128

/* One resolved address, in 32 bytes: unix paths are kept by reference, since connections by the
 * thousand hold one. */
struct address {
	uint16_t family; /* AF_INET, AF_INET6, AF_UNIX, or 0: none */
	uint16_t port;	 /* host order */
	uint32_t scope;	 /* of a link-local IPv6 address */
	union {
		unsigned char bytes[16]; /* network order; IPv4 in the first four */
		const char *path; /* AF_UNIX: owned by the address_list it came from, or static */
	} u;
};

/* What the user wrote, split: `host` is "" for all addresses. */
struct address_name {
	char host[256]; /* or the path of a unix socket */
	char port[32];	/* "" for a unix socket */
	bool is_unix;
};

/* Addresses in the order in which they are to be tried. */
struct address_list {
	struct address *items;
	size_t count;
	char *path; /* what AF_UNIX items refer to */
};

/*
 * Split "host:port", "[v6]:port", ":port" or "unix:/path". Brackets are required around IPv6.
 * Returns NULL, or a static text that says what is wrong with it.
 */
const char *address_split(const char *text, struct address_name *name);

/* The same from two operands, `host` being a bare name or address (brackets allowed). NULL or a
 * static reason. */
const char *address_join(const char *host, const char *port, struct address_name *name);

/*
 * Resolve (getaddrinfo(3), may block) for connecting, or for listening if `passive`. `family` is
 * AF_UNSPEC, AF_INET or AF_INET6. Returns NULL, or a text that says what went wrong (static).
 */
const char *address_resolve(
    const struct address_name *name, int family, bool passive, struct address_list *list);

/* The same for what needs no lookup: a number with a number for the port, or a unix socket; never
 * blocks. */
const char *address_resolve_number(
    const struct address_name *name, int family, struct address_list *list);

/* Copy `from`; returns -1 with errno. */
int address_list_copy(struct address_list *to, const struct address_list *from);
void address_list_release(struct address_list *list);

/* To and from the system's form. IPv4-mapped IPv6 becomes IPv4. `length` receives the size. */
void address_to_sockaddr(
    const struct address *address, struct sockaddr_storage *storage, socklen_t *length);
void address_from_sockaddr(
    struct address *address, const struct sockaddr *sockaddr, socklen_t length);

/* "1.2.3.4:80", "[::1]:80", "[fe80::1%eth0]:80", "unix:/path" ("unix:" for an unnamed peer), "" for
 * none. Returns `text`. */
char *address_format(const struct address *address, char text[ADDRESS_TEXT_MAX]);

bool address_is_loopback(const struct address *address);

#endif
