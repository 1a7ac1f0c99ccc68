#include "format/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/digits.h"
#include "format/index.h"
#include "format/logname.h"

#define NUMBER_MAX ((uint64_t)INT64_MAX) /* names with higher ones are none of ours */

void
log_root_pass_over(struct log_root *root, uint64_t n)
{
	if (n >= root->next && n < NUMBER_MAX)
		root->next = n + 1;
}

static int
root_scan_files(struct log_root *root)
{
	int fd = openat(root->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *item;
	struct logname name;

	if (directory == NULL) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (errno = 0, (item = readdir(directory)) != NULL)
		if (logname_match(item->d_name, root->base, &name))
			log_root_pass_over(root, name.n);
	int error = errno;
	closedir(directory);
	errno = error;
	return error == 0 ? 0 : -1;
}

/*
 * The index remembers numbers whose files were moved away. One that cannot be opened or is no file
 * is for its writer to complain of.
 */
static int
root_scan_index(struct log_root *root)
{
	char name[ROOT_NAME_MAX];
	struct stat status;
	struct index_entry entry;
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	snprintf(name, sizeof(name), "%s" INDEX_SUFFIX, root->base);
	/* O_NONBLOCK: something else than a file must not hang us here */
	int fd = openat(root->directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return 0;
	FILE *stream = fdopen(fd, "r");
	if (stream == NULL) {
		close(fd);
		return -1;
	}
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		while ((length = getline(&line, &room, stream)) > 0) {
			if (line[length - 1] == '\n')
				length--;
			if (index_decode(line, (size_t)length, &entry) == 0)
				log_root_pass_over(root, entry.n);
		}
	free(line);
	fclose(stream);
	return 0;
}

static int
root_open_directory(struct log_root *root, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash == NULL ? 0 : (size_t)(slash - path) + 1;

	root->prefix = strndup(path, length);
	root->base = strdup(path + length);
	if (root->prefix == NULL || root->base == NULL)
		return -1;
	root->directory =
	    open(length == 0 ? "." : root->prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root->directory < 0 ? -1 : 0;
}

struct log_root *
log_root_open(const struct log_root_config *config)
{
	if (config->root[0] == '\0') {
		errno = EINVAL;
		return NULL;
	}
	struct log_root *root = calloc(1, sizeof(*root));
	if (root == NULL)
		return NULL;
	root->directory = -1;
	root->next = 1;
	root->rotate_size = config->rotate_size;
	root->part_done = config->part_done;
	root->context = config->context;
	if (root_open_directory(root, config->root) != 0 || root_scan_files(root) != 0 ||
	    root_scan_index(root) != 0)
		goto failed;
	root->gzip = config->gzip_level > 0;
	if (root->gzip && member_init(&root->member, config->gzip_level) != 0)
		goto failed;
	return root;
failed:
	log_root_close(root);
	return NULL;
}

struct log_root *
log_root_again(const struct log_root *root)
{
	struct log_root *again = calloc(1, sizeof(*again));

	if (again == NULL)
		return NULL;
	again->directory = fcntl(root->directory, F_DUPFD_CLOEXEC, 0);
	again->prefix = strdup(root->prefix);
	again->base = strdup(root->base);
	again->rotate_size = root->rotate_size;
	again->part_done = root->part_done;
	again->context = root->context;
	if (again->directory < 0 || again->prefix == NULL || again->base == NULL ||
	    (root->gzip && member_init(&again->member, root->member.level) != 0)) {
		log_root_close(again);
		return NULL;
	}
	again->gzip = root->gzip;
	return again;
}

void
log_root_close(struct log_root *root)
{
	if (root == NULL)
		return;
	int error = errno;
	member_release(&root->member);
	if (root->directory >= 0)
		close(root->directory);
	free(root->prefix);
	free(root->base);
	free(root);
	errno = error;
}

int
log_root_descriptor(const struct log_root *root)
{
	return root->directory;
}

uint64_t
log_root_next(const struct log_root *root)
{
	return root->next;
}

void
log_root_set_level(struct log_root *root, int level)
{
	root->member.level = level;
}

char *
root_name(
    const struct log_root *root, uint64_t n, unsigned part, bool gzip, char *buffer, size_t size)
{
	char suffix[ROOT_SUFFIX_MAX], *at = suffix;

	*at++ = '_';
	at = digits_put(at, n);
	if (part > 0) {
		*at++ = '.';
		at = digits_put(at, part);
	}
	(void)strlcpy(at, gzip ? ".gz" : "", (size_t)(suffix + sizeof(suffix) - at));
	(void)strlcpy(buffer, root->base, size);
	(void)strlcat(buffer, suffix, size);
	return buffer;
}

char *
log_root_name(const struct log_root *root, uint64_t n, unsigned part, char *buffer, size_t size)
{
	return root_name(root, n, part, root->gzip, buffer, size);
}

int
log_root_remove(const struct log_root *root, uint64_t n, unsigned part)
{
	char name[ROOT_NAME_MAX];

	log_root_name(root, n, part, name, sizeof(name));
	return unlinkat(root->directory, name, 0);
}

int
log_root_open_index(const struct log_root *root)
{
	char name[ROOT_NAME_MAX];

	snprintf(name, sizeof(name), "%s" INDEX_SUFFIX, root->base);
	return openat(root->directory, name,
	    O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
}

int
log_root_continue_index(const struct log_root *root)
{
	int fd = log_root_open_index(root);
	off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	char last = '\n';

	if (size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n' &&
	    write(fd, "\n", 1) != 1) {
		int error = errno;
		close(fd);
		errno = error;
		fd = -1;
	}
	return fd;
}

char *
log_root_path(const struct log_root *root, uint64_t n, unsigned part, char *buffer, size_t size)
{
	char name[ROOT_NAME_MAX];

	log_root_name(root, n, part, name, sizeof(name));
	snprintf(buffer, size, "%s%s", root->prefix, name);
	return buffer;
}
