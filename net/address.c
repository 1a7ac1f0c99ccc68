#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "format/digits.h"
#include "net/address.h"

static const char *
copy_part(char *to, size_t size, const char *from, size_t length, const char *too_long)
{
	if (length >= size)
		return too_long;
	memcpy(to, from, length);
	to[length] = '\0';
	return NULL;
}

static const char *
split_unix(const char *path, struct address_name *name)
{
	if (path[0] == '\0')
		return "no path after unix:";
	name->is_unix = true;
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "path of the unix socket is too long";
	return copy_part(name->host, sizeof(name->host), path, strlen(path), "path is too long");
}

static const char *
check_port(const char *port)
{
	const char *error;

	if (port[0] == '\0')
		return "no port";
	if (strspn(port, "0123456789") == strlen(port)) {
		strtonum(port, 0, 65535, &error);
		if (error != NULL)
			return "port is not in 0..65535";
	} else if (!isalnum((unsigned char)port[0])) {
		/* getaddrinfo(3) takes " 70000" and "+70000" as numbers, modulo 65536 */
		return "port is neither a number nor a service's name";
	}
	return NULL;
}

const char *
address_split(const char *text, struct address_name *name)
{
	const char *colon, *host = text, *reason;
	size_t length;

	memset(name, 0, sizeof(*name));
	if (strncmp(text, "unix:", 5) == 0)
		return split_unix(text + 5, name);
	if (text[0] == '[') {
		const char *bracket = strchr(text, ']');

		if (bracket == NULL)
			return "no ] after [";
		if (bracket[1] != ':')
			return "no :port after ]";
		host = text + 1;
		length = (size_t)(bracket - host);
		colon = bracket + 1;
		if (length == 0)
			return "no address between [ and ]";
	} else {
		colon = strrchr(text, ':');
		if (colon == NULL)
			return "no :port";
		length = (size_t)(colon - text);
		if (memchr(text, ':', length) != NULL)
			return "an IPv6 address needs brackets, as in [::1]:80";
	}
	reason = copy_part(name->host, sizeof(name->host), host, length, "host name is too long");
	if (reason == NULL)
		reason = copy_part(name->port, sizeof(name->port), colon + 1, strlen(colon + 1),
		    "port name is too long");
	return reason != NULL ? reason : check_port(name->port);
}

const char *
address_join(const char *host, const char *port, struct address_name *name)
{
	size_t length = strlen(host);
	const char *reason;

	memset(name, 0, sizeof(*name));
	if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
		host++;
		length -= 2;
	}
	reason = copy_part(name->host, sizeof(name->host), host, length, "host name is too long");
	if (reason == NULL)
		reason = copy_part(
		    name->port, sizeof(name->port), port, strlen(port), "port name is too long");
	return reason != NULL ? reason : check_port(name->port);
}

static const char *
resolve_unix(const struct address_name *name, struct address_list *list)
{
	list->items = calloc(1, sizeof(*list->items));
	list->path = strdup(name->host);
	if (list->items == NULL || list->path == NULL) {
		address_list_release(list);
		return strerror(ENOMEM);
	}
	list->items[0].family = AF_UNIX;
	list->items[0].u.path = list->path;
	list->count = 1;
	return NULL;
}

static const char *
resolve(const struct address_name *name, int family, int flags, struct address_list *list)
{
	struct addrinfo hints = {
	    .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
	struct addrinfo *found, *each;
	size_t count = 0;
	int error;

	memset(list, 0, sizeof(*list));
	if (name->is_unix)
		return resolve_unix(name, list);
	error = getaddrinfo(name->host[0] != '\0' ? name->host : NULL, name->port, &hints, &found);
	if (error != 0)
		return error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);
	for (each = found; each != NULL; each = each->ai_next)
		count++;
	list->items = calloc(count + 1, sizeof(*list->items)); /* one more: never of size 0 */
	if (list->items != NULL)
		for (each = found; each != NULL; each = each->ai_next)
			address_from_sockaddr(
			    &list->items[list->count++], each->ai_addr, each->ai_addrlen);
	freeaddrinfo(found);
	return list->items != NULL ? NULL : strerror(ENOMEM);
}

const char *
address_resolve(
    const struct address_name *name, int family, bool passive, struct address_list *list)
{
	return resolve(name, family, passive ? AI_PASSIVE : 0, list);
}

const char *
address_resolve_number(const struct address_name *name, int family, struct address_list *list)
{
	return resolve(name, family, AI_NUMERICHOST | AI_NUMERICSERV, list);
}

int
address_list_copy(struct address_list *to, const struct address_list *from)
{
	memset(to, 0, sizeof(*to));
	to->items = calloc(from->count + 1, sizeof(*to->items));
	if (to->items == NULL)
		return -1;
	if (from->path != NULL && (to->path = strdup(from->path)) == NULL) {
		address_list_release(to);
		return -1;
	}
	to->count = from->count;
	memcpy(to->items, from->items, from->count * sizeof(*to->items));
	for (size_t i = 0; i < to->count; i++)
		if (to->items[i].family == AF_UNIX)
			to->items[i].u.path = to->path;
	return 0;
}

void
address_list_release(struct address_list *list)
{
	free(list->items);
	free(list->path);
	memset(list, 0, sizeof(*list));
}

void
address_to_sockaddr(
    const struct address *address, struct sockaddr_storage *storage, socklen_t *length)
{
	memset(storage, 0, sizeof(*storage));
	storage->ss_family = address->family;
	if (address->family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)storage;

		in->sin_port = htons(address->port);
		memcpy(&in->sin_addr, address->u.bytes, 4);
		*length = sizeof(*in);
	} else if (address->family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;

		in6->sin6_port = htons(address->port);
		in6->sin6_scope_id = address->scope;
		memcpy(&in6->sin6_addr, address->u.bytes, 16);
		*length = sizeof(*in6);
	} else {
		struct sockaddr_un *un = (struct sockaddr_un *)storage;

		if (address->u.path != NULL)
			strlcpy(un->sun_path, address->u.path, sizeof(un->sun_path));
		*length = sizeof(*un);
	}
}

void
address_from_sockaddr(struct address *address, const struct sockaddr *sockaddr, socklen_t length)
{
	memset(address, 0, sizeof(*address));
	if (length < (socklen_t)sizeof(sockaddr->sa_family))
		return;
	address->family = sockaddr->sa_family;
	if (sockaddr->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sockaddr;

		address->port = ntohs(in->sin_port);
		memcpy(address->u.bytes, &in->sin_addr, 4);
	} else if (sockaddr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 =
		    (const struct sockaddr_in6 *)(const void *)sockaddr;

		address->port = ntohs(in6->sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			address->family = AF_INET;
			memcpy(address->u.bytes, &in6->sin6_addr.s6_addr[12], 4);
		} else {
			address->scope = in6->sin6_scope_id;
			memcpy(address->u.bytes, &in6->sin6_addr, 16);
		}
	}
}

char *
address_format(const struct address *address, char text[ADDRESS_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN], scope[IF_NAMESIZE + 1] = "", *at = text;

	switch (address->family) {
	case AF_INET:
		for (int i = 0; i < 4; i++) {
			at = digits_put(at, address->u.bytes[i]);
			*at++ = i < 3 ? '.' : ':';
		}
		*digits_put(at, address->port) = '\0';
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, address->u.bytes, host, sizeof(host));
		if (address->scope != 0) {
			scope[0] = '%';
			if (if_indextoname(address->scope, scope + 1) == NULL)
				snprintf(scope + 1, sizeof(scope) - 1, "%u", address->scope);
		}
		snprintf(text, ADDRESS_TEXT_MAX, "[%s%s]:%u", host, scope, address->port);
		break;
	case AF_UNIX:
		snprintf(text, ADDRESS_TEXT_MAX, "unix:%s",
		    address->u.path != NULL ? address->u.path : "");
		break;
	default:
		text[0] = '\0';
	}
	return text;
}

bool
address_is_loopback(const struct address *address)
{
	static const unsigned char loopback6[16] = {[15] = 1};

	if (address->family == AF_INET)
		return address->u.bytes[0] == 127;
	if (address->family == AF_INET6)
		return memcmp(address->u.bytes, loopback6, 16) == 0;
	return address->family == AF_UNIX;
}
