#include "format/logname.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Read the whole number that is all of [text, end), as the writer spells it: no sign, no leading
 * zero. */
static bool
number_parse(const char *text, const char *end, uint64_t most, uint64_t *number)
{
	if (text == end || *text == '0')
		return false;
	for (*number = 0; text < end; text++) {
		uint64_t digit = (uint64_t)(*text - '0');
		if (!is_digit(*text) || *number > (most - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	return true;
}

static const char *
digits_begin(const char *text, const char *end)
{
	while (end > text && is_digit(end[-1]))
		end--;
	return end;
}

/* Split the ".gz" and the ".<part>" off the end of `name`. Returns where they begin. */
static const char *
suffix_parse(const char *name, struct logname *parsed)
{
	const char *end = name + strlen(name), *digits;
	uint64_t part;

	parsed->gzip = end - name > 3 && memcmp(end - 3, ".gz", 3) == 0;
	if (parsed->gzip)
		end -= 3;
	parsed->part = 0;
	digits = digits_begin(name, end);
	if (digits > name && digits[-1] == '.' && number_parse(digits, end, UINT_MAX, &part)) {
		parsed->part = (unsigned)part;
		end = digits - 1;
	}
	return end;
}

bool
logname_match(const char *name, const char *root, struct logname *parsed)
{
	size_t length = strlen(root);
	const char *number = name + length, *end;

	if (strncmp(name, root, length) != 0)
		return false;
	end = suffix_parse(name, parsed);
	parsed->root_length = length;
	parsed->joined = *number != '_';
	if (!parsed->joined)
		number++;
	/* all digits are no name of old: "logs/" would take every number for a log */
	return number < end && number_parse(number, end, UINT64_MAX, &parsed->n) &&
	       !(parsed->joined && (parsed->part > 0 || length == 0));
}

bool
logname_beside(const char *path, const char *root, struct logname *parsed)
{
	const char *path_slash = strrchr(path, '/'), *root_slash = strrchr(root, '/');
	size_t directory = root_slash != NULL ? (size_t)(root_slash + 1 - root) : 0;

	return (path_slash != NULL ? (size_t)(path_slash + 1 - path) : 0) == directory &&
	       strncmp(root, path, directory) == 0 &&
	       logname_match(path + directory, root + directory, parsed);
}

bool
logname_parse(const char *name, struct logname *parsed)
{
	const char *end = suffix_parse(name, parsed);
	const char *digits = digits_begin(name, end);

	if (!number_parse(digits, end, UINT64_MAX, &parsed->n))
		return false;
	parsed->joined = digits == name || digits[-1] != '_';
	parsed->root_length = (size_t)(digits - name) - (parsed->joined ? 0 : 1);
	return !(parsed->joined && parsed->part > 0);
}

char *
logname_part(const char *path, unsigned part, bool gzip)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	struct logname parsed;
	char number[16] = "", *result;
	int stem;

	if (!logname_parse(name, &parsed) || (parsed.joined && part > 0)) {
		errno = EINVAL;
		return NULL;
	}
	stem = (int)(suffix_parse(name, &parsed) - path);
	if (part > 0)
		snprintf(number, sizeof(number), ".%u", part);
	if (asprintf(&result, "%.*s%s%s", stem, path, number, gzip ? ".gz" : "") < 0)
		return NULL;
	return result;
}

/* Look at the directory that `path` lies in; returns where its name begins behind it, NULL if there
 * is no such directory. */
static const char *
directory_look(const char *path, struct stat *status)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash != NULL ? strndup(path, (size_t)(slash + 1 - path)) : strdup(".");
	bool found = directory != NULL && stat(directory, status) == 0;

	free(directory);
	if (!found)
		return NULL;
	return slash != NULL ? slash + 1 : path;
}

bool
logname_neighbours(const char *one, const char *other, const char *names[2])
{
	struct stat here, there;

	names[0] = directory_look(one, &here);
	names[1] = directory_look(other, &there);
	return names[0] != NULL && names[1] != NULL && here.st_dev == there.st_dev &&
	       here.st_ino == there.st_ino;
}

static bool
names_reserved(const char *path, const char *root)
{
	struct logname parsed;
	const char *names[2];

	if (!logname_neighbours(path, root, names))
		return false;
	return logname_match(names[0], names[1], &parsed) ||
	       (strncmp(names[0], names[1], strlen(names[1])) == 0 &&
		   strcmp(names[0] + strlen(names[1]), INDEX_SUFFIX) == 0);
}

bool
logname_reserved(const char *path, const char *root)
{
	char *target = realpath(path, NULL);
	bool reserved =
	    names_reserved(path, root) || (target != NULL && names_reserved(target, root));

	free(target);
	return reserved;
}
