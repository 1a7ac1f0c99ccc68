#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "nettunnel/hmac.h"
#include "nettunnel/secret.h"
#include "nettunnel/tokens.h"

static void
digest(const char *token, size_t size, unsigned char out[32])
{
	SHA2_CTX context;

	SHA256Init(&context);
	SHA256Update(&context, (const unsigned char *)token, size);
	SHA256Final(out, &context);
}

/* Add the token of a line, if there is one. */
static int
add_line(struct tokens *tokens, const char *line, size_t size)
{
	unsigned char(*digests)[32];

	while (size > 0 && strchr(" \t\r", line[size - 1]) != NULL)
		size--;
	while (size > 0 && strchr(" \t", line[0]) != NULL) {
		line++;
		size--;
	}
	if (size == 0 || line[0] == '#')
		return 0;
	digests = reallocarray(tokens->digests, tokens->count + 1, sizeof(*digests));
	if (digests == NULL)
		return -1;
	tokens->digests = digests;
	digest(line, size, digests[tokens->count++]);
	return 0;
}

const char *
tokens_read(struct tokens *tokens, const char *path)
{
	struct tokens read = {NULL, 0};
	const char *error;
	size_t size = 0, length;
	char *text = secret_read(path, &size, &error);
	int result = 0;

	if (text == NULL)
		return error;
	for (size_t at = 0; at < size && result == 0; at += length + 1) {
		const char *end = memchr(text + at, '\n', size - at);

		length = end != NULL ? (size_t)(end - text) - at : size - at;
		result = add_line(&read, text + at, length);
	}
	secret_free(text, size);
	if (result == -1 || read.count == 0) {
		tokens_release(&read);
		return result == -1 ? "out of memory" : "has no token";
	}
	tokens_release(tokens);
	*tokens = read;
	return NULL;
}

void
tokens_release(struct tokens *tokens)
{
	free(tokens->digests);
	tokens->digests = NULL;
	tokens->count = 0;
}

bool
tokens_has(const struct tokens *tokens, const char *token, size_t size)
{
	unsigned char given[32];
	bool found = false;

	digest(token, size, given);
	for (size_t i = 0; i < tokens->count; i++)
		if (hmac_equal(given, tokens->digests[i], sizeof(given)))
			found = true;
	return found;
}

/* Does the line name our header? Sets its value, without the space around it. */
static bool
is_ours(const char *line, size_t size, const char **value, size_t *length)
{
	size_t name = sizeof(TOKENS_HEADER) - 1;

	if (size <= name || strncasecmp(line, TOKENS_HEADER, name) != 0 || line[name] != ':')
		return false;
	line += name + 1;
	size -= name + 1;
	while (size > 0 && (line[size - 1] == ' ' || line[size - 1] == '\t'))
		size--;
	while (size > 0 && (line[0] == ' ' || line[0] == '\t')) {
		line++;
		size--;
	}
	*value = line;
	*length = size;
	return true;
}

/* "GET /path HTTP/1.1" */
static bool
is_request_line(const char *line, size_t size)
{
	size_t method = 0;

	while (method < size && line[method] >= 'A' && line[method] <= 'Z')
		method++;
	return method > 0 && method < size && line[method] == ' ' && size > method + 10 &&
	       memcmp(line + size - 9, " HTTP/1.", 8) == 0;
}

enum tokens_verdict
tokens_judge(const struct tokens *tokens, const char *data, size_t size)
{
	const char *line = data, *end, *value = NULL;
	size_t left = size, length = 0, given = 0;

	/* Whoever does not begin like HTTP is told so before a line is whole. */
	if (size > 0 && (data[0] < 'A' || data[0] > 'Z'))
		return TOKENS_DENIED;
	while ((end = memchr(line, '\n', left)) != NULL) {
		size_t line_size = (size_t)(end - line);

		if (line_size > 0 && line[line_size - 1] == '\r')
			line_size--;
		if (line == data && !is_request_line(line, line_size))
			return TOKENS_DENIED;
		if (line_size == 0)
			return given == 1 && tokens_has(tokens, value, length) ? TOKENS_ALLOWED
									       : TOKENS_DENIED;
		if (is_ours(line, line_size, &value, &length))
			given++;
		left -= (size_t)(end - line) + 1;
		line = end + 1;
	}
	return size < TOKENS_REQUEST_MAX ? TOKENS_MORE : TOKENS_DENIED;
}
