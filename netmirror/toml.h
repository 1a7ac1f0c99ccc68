/*
 * A reader of TOML (toml.io, v1.0.0), as much of it as configuration files like ours need: tables,
 * arrays of tables, dotted keys, comments; strings in one line, integers, booleans, arrays of
 * these. What else there is (floats, dates, inline tables, strings of several lines) is refused by
 * name, with its line.
 */
#ifndef NETMIRROR_TOML_H
#define NETMIRROR_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum toml_type {
	TOML_TABLE,
	TOML_ARRAY, /* of values, or of tables: [[key]] */
	TOML_STRING,
	TOML_INTEGER,
	TOML_BOOLEAN
};

TAILQ_HEAD(toml_list, toml);

struct toml {
	enum toml_type type;
	unsigned line;		/* where it begins, from 1 */
	char *key;		/* in a table; NULL in an array, and of the whole file */
	struct toml_list items; /* of a table or an array, in order */
	char *string;		/* never holds a NUL within */
	int64_t integer;
	bool boolean;
	bool closed; /* private: no key may be added by another header */
	TAILQ_ENTRY(toml) next;
};

struct toml_error {
	unsigned line;
	const char *reason; /* static */
};

/* Read a whole file. Returns its table, or NULL with `error`. */
struct toml *toml_parse(const char *text, size_t size, struct toml_error *error);
void toml_free(struct toml *toml);

/* The value of `key` in a table, or NULL. */
const struct toml *toml_find(const struct toml *table, const char *key);

/* "a table", "a string", ... for messages. */
const char *toml_type_name(enum toml_type type);

#endif
