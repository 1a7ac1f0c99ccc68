#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netmirror/config.h"
#include "netmirror/toml.h"

#define FILE_MAX ((size_t)1024 * 1024)

void
config_init(struct config *config)
{
	memset(config, 0, sizeof(*config));
}

static void
peer_release(struct config_peer *peer)
{
	free(peer->name);
	address_list_release(&peer->addresses);
}

void
config_release(struct config *config)
{
	for (size_t i = 0; i < config->count; i++) {
		struct config_proxy *proxy = &config->proxies[i];

		for (size_t j = 0; j < proxy->observer_count; j++)
			peer_release(&proxy->observers[j]);
		peer_release(&proxy->target);
		free(proxy->observers);
		free(proxy->listen);
	}
	free(config->proxies);
	free(config->path);
	config_init(config);
}

/* -- building -- */

struct config_proxy *
config_add(struct config *config, const char *listen)
{
	struct config_proxy *grown =
	    reallocarray(config->proxies, config->count + 1, sizeof(*grown));
	char *copy = strdup(listen);

	if (grown != NULL)
		config->proxies = grown;
	if (grown == NULL || copy == NULL) {
		free(copy);
		return NULL;
	}
	grown += config->count++;
	memset(grown, 0, sizeof(*grown));
	grown->listen = copy;
	return grown;
}

int
config_target(struct config_proxy *proxy, const char *name)
{
	proxy->target.name = strdup(name);
	return proxy->target.name != NULL ? 0 : -1;
}

int
config_observe(struct config_proxy *proxy, const char *name)
{
	struct config_peer *grown =
	    reallocarray(proxy->observers, proxy->observer_count + 1, sizeof(*grown));

	if (grown == NULL)
		return -1;
	proxy->observers = grown;
	grown += proxy->observer_count;
	memset(grown, 0, sizeof(*grown));
	grown->name = strdup(name);
	if (grown->name == NULL)
		return -1;
	proxy->observer_count++;
	return 0;
}

size_t
config_observers_max(const struct config *config)
{
	size_t most = 0;

	for (size_t i = 0; i < config->count; i++)
		if (config->proxies[i].observer_count > most)
			most = config->proxies[i].observer_count;
	return most;
}

/* -- reading tcp-clone's file -- */

/* What is being read, and where its first fault is told. */
struct reading {
	struct config *config;
	char *error;
};

static int __attribute__((format(printf, 3, 4)))
refuse(struct reading *reading, unsigned line, const char *format, ...)
{
	va_list arguments;
	int size =
	    snprintf(reading->error, CONFIG_ERROR_MAX, "%s:%u: ", reading->config->path, line);

	if (size < 0 || size >= CONFIG_ERROR_MAX)
		return -1;
	va_start(arguments, format);
	vsnprintf(reading->error + size, CONFIG_ERROR_MAX - (size_t)size, format, arguments);
	va_end(arguments);
	return -1;
}

static int
expect(struct reading *reading, const struct toml *toml, enum toml_type type)
{
	if (toml->type == type)
		return 0;
	return refuse(reading, toml->line, "%s is %s, not %s", toml->key,
	    toml_type_name(toml->type), toml_type_name(type));
}

/* A table that holds nothing but the string `key`, which is an address; NULL if it is not. */
static const struct toml *
read_address(struct reading *reading, const struct toml *table, const char *what, const char *key)
{
	const struct toml *item, *found = toml_find(table, key);
	struct address_name name;
	const char *reason;

	TAILQ_FOREACH (item, &table->items, next) {
		if (item != found) {
			refuse(
			    reading, item->line, "%s: there is no such key in %s", item->key, what);
			return NULL;
		}
	}
	if (found == NULL) {
		refuse(reading, table->line, "%s has no %s", what, key);
		return NULL;
	}
	if (expect(reading, found, TOML_STRING) == -1)
		return NULL;
	reason = address_split(found->string, &name);
	if (reason == NULL && strcmp(what, "server") != 0 && !name.is_unix && name.host[0] == '\0')
		reason = "no host";
	if (reason == NULL)
		return found;
	refuse(reading, found->line, "%s \"%s\": %s", key, found->string, reason);
	return NULL;
}

static int
out_of_memory(struct reading *reading, const struct toml *toml)
{
	return refuse(reading, toml->line, "%s", strerror(ENOMEM));
}

static int
read_observers(struct reading *reading, struct config_proxy *proxy, const struct toml *array)
{
	const struct toml *each, *address;

	if (expect(reading, array, TOML_ARRAY) == -1)
		return -1;
	TAILQ_FOREACH (each, &array->items, next) {
		if (each->type != TOML_TABLE)
			return refuse(reading, each->line, "an observer is %s, not %s",
			    toml_type_name(each->type), toml_type_name(TOML_TABLE));
		address = read_address(reading, each, "observer", "addr");
		if (address == NULL)
			return -1;
		if (config_observe(proxy, address->string) == -1)
			return out_of_memory(reading, each);
		proxy->observers[proxy->observer_count - 1].line = address->line;
	}
	return 0;
}

/* The table `key` of a proxy, which must be there. */
static const struct toml *
read_part(struct reading *reading, const struct toml *table, const char *key)
{
	const struct toml *part = toml_find(table, key);

	if (part == NULL) {
		refuse(reading, table->line, "this tcp_clone has no %s", key);
		return NULL;
	}
	return expect(reading, part, TOML_TABLE) == 0 ? part : NULL;
}

/* Is the port 0, of which the kernel makes another one each time? */
static bool
is_any_port(const char *listen)
{
	struct address_name name;

	return address_split(listen, &name) == NULL && !name.is_unix &&
	       strspn(name.port, "0") == strlen(name.port);
}

/* Does another proxy listen there, too? */
static const struct config_proxy *
find_listen(const struct config *config, const char *listen)
{
	for (size_t i = 0; i < config->count; i++)
		if (strcmp(config->proxies[i].listen, listen) == 0 && !is_any_port(listen))
			return &config->proxies[i];
	return NULL;
}

/* Returns the new proxy, or NULL after a message. */
static struct config_proxy *
read_server(struct reading *reading, const struct toml *table)
{
	const struct toml *server = read_part(reading, table, "server"), *address;
	const struct config_proxy *same;
	struct config_proxy *proxy;

	if (server == NULL)
		return NULL;
	address = read_address(reading, server, "server", "listen_addr");
	if (address == NULL)
		return NULL;
	same = find_listen(reading->config, address->string);
	if (same != NULL) {
		refuse(reading, address->line, "listen_addr \"%s\" is that of line %u too",
		    address->string, same->line);
		return NULL;
	}
	proxy = config_add(reading->config, address->string);
	if (proxy == NULL)
		out_of_memory(reading, server);
	else
		proxy->line = address->line;
	return proxy;
}

static int
read_target(struct reading *reading, const struct toml *table, struct config_proxy *proxy)
{
	const struct toml *target = read_part(reading, table, "target"), *address;

	if (target == NULL)
		return -1;
	address = read_address(reading, target, "target", "addr");
	if (address == NULL)
		return -1;
	proxy->target.line = address->line;
	return config_target(proxy, address->string) == 0 ? 0 : out_of_memory(reading, target);
}

static int
read_proxy(struct reading *reading, const struct toml *table)
{
	const struct toml *item;
	struct config_proxy *proxy;

	if (table->type != TOML_TABLE)
		return refuse(reading, table->line, "a tcp_clone is %s, not %s",
		    toml_type_name(table->type), toml_type_name(TOML_TABLE));
	TAILQ_FOREACH (item, &table->items, next) {
		if (strcmp(item->key, "server") != 0 && strcmp(item->key, "target") != 0 &&
		    strcmp(item->key, "observer") != 0)
			return refuse(reading, item->line, "%s: there is no such key in tcp_clone",
			    item->key);
	}
	proxy = read_server(reading, table);
	if (proxy == NULL || read_target(reading, table, proxy) == -1)
		return -1;
	item = toml_find(table, "observer");
	return item == NULL ? 0 : read_observers(reading, proxy, item);
}

static int
read_file(struct reading *reading, const struct toml *root)
{
	const struct toml *item, *proxy;

	TAILQ_FOREACH (item, &root->items, next) {
		if (strcmp(item->key, "tcp_clone") != 0)
			return refuse(reading, item->line, "%s: there is no such table", item->key);
		if (expect(reading, item, TOML_ARRAY) == -1)
			return -1;
		TAILQ_FOREACH (proxy, &item->items, next) {
			if (read_proxy(reading, proxy) == -1)
				return -1;
		}
	}
	if (reading->config->count > 0)
		return 0;
	return refuse(reading, 1, "there is no [[tcp_clone]] in this file");
}

/* The whole file; NULL with errno. */
static char *
load(const char *path, size_t *size)
{
	FILE *file = fopen(path, "re");
	char *text = malloc(FILE_MAX);
	int error;

	if (file == NULL || text == NULL)
		goto fail;
	*size = fread(text, 1, FILE_MAX, file);
	if (ferror(file))
		goto fail;
	if (*size == FILE_MAX) {
		errno = EFBIG;
		goto fail;
	}
	fclose(file);
	return text;
fail:
	error = errno;
	if (file != NULL)
		fclose(file);
	free(text);
	errno = error;
	return NULL;
}

int
config_load(struct config *config, const char *path, char error[CONFIG_ERROR_MAX])
{
	struct reading reading = {config, error};
	struct toml_error fault;
	struct toml *root = NULL;
	size_t size;
	char *text = load(path, &size);
	int result = -1;

	config->path = strdup(path);
	if (text == NULL || config->path == NULL) {
		snprintf(error, CONFIG_ERROR_MAX, "%s: %s", path, strerror(errno));
		goto out;
	}
	root = toml_parse(text, size, &fault);
	if (root == NULL)
		refuse(&reading, fault.line, "%s", fault.reason);
	else
		result = read_file(&reading, root);
out:
	toml_free(root);
	free(text);
	return result;
}

/* -- resolving -- */

static int
resolve(const struct config *config, struct config_peer *peer, const char *what, int family,
    char *error)
{
	struct address_name name;
	const char *reason = address_split(peer->name, &name);

	if (reason == NULL && !name.is_unix && name.host[0] == '\0')
		reason = "no host";
	if (reason == NULL && !name.is_unix && strspn(name.port, "0") == strlen(name.port))
		reason = "port 0 is no server's";
	if (reason == NULL)
		reason = address_resolve(&name, family, false, &peer->addresses);
	if (reason == NULL)
		return 0;
	if (config->path != NULL)
		snprintf(error, CONFIG_ERROR_MAX, "%s:%u: %s %s: %s", config->path, peer->line,
		    what, peer->name, reason);
	else
		snprintf(error, CONFIG_ERROR_MAX, "%s %s: %s", what, peer->name, reason);
	return -1;
}

int
config_resolve(struct config *config, int family, char error[CONFIG_ERROR_MAX])
{
	for (size_t i = 0; i < config->count; i++) {
		struct config_proxy *proxy = &config->proxies[i];

		if (proxy->target.name != NULL &&
		    resolve(config, &proxy->target, "server", family, error) == -1)
			return -1;
		for (size_t j = 0; j < proxy->observer_count; j++)
			if (resolve(config, &proxy->observers[j], "observer", family, error) == -1)
				return -1;
	}
	return 0;
}
