/* What toml.c (lines, keys, tables) and toml_value.c know of the reading. Private to them. */
#ifndef NETMIRROR_TOML_PRIVATE_H
#define NETMIRROR_TOML_PRIVATE_H

#include "netmirror/toml.h"

#define TOML_DEPTH_MAX 32 /* of tables and arrays within each other */

struct toml_parser {
	const char *at, *end;
	unsigned line;
	struct toml *root;
	struct toml_error *error;
};

/* The next byte, or -1 at the end. */
static inline int
toml_peek(const struct toml_parser *parser)
{
	return parser->at < parser->end ? (unsigned char)*parser->at : -1;
}

/* toml.c */

/* Returns -1. */
int toml_fail(struct toml_parser *parser, const char *reason);

struct toml *toml_new(struct toml_parser *parser, enum toml_type type);

/* Blanks; or blanks, comments and ends of lines. */
void toml_skip_blanks(struct toml_parser *parser);
int toml_skip_lines(struct toml_parser *parser);

/* toml_value.c */

/* A quoted string, to be freed. */
char *toml_parse_string(struct toml_parser *parser);

struct toml *toml_parse_value(struct toml_parser *parser, int depth);

#endif
