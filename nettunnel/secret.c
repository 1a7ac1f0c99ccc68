#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nettunnel/secret.h"

/* NULL, or why the file cannot be trusted to be secret. */
static const char *
check(int fd)
{
	struct stat status;

	if (fstat(fd, &status) == -1)
		return strerror(errno);
	if (!S_ISREG(status.st_mode))
		return "not a regular file";
	if (status.st_uid != geteuid() && status.st_uid != 0)
		return "belongs to somebody else";
	if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return "can be accessed by others (chmod 600)";
	if (status.st_size > SECRET_MAX)
		return "too large";
	return NULL;
}

/* Up to SECRET_MAX bytes; -1 with errno. */
static ssize_t
read_all(int fd, char *secret)
{
	size_t size = 0;
	ssize_t got;

	while ((got = read(fd, secret + size, SECRET_MAX - size)) != 0) {
		if (got == -1 && errno != EINTR)
			return -1;
		if (got > 0)
			size += (size_t)got;
	}
	return (ssize_t)size;
}

char *
secret_read(const char *path, size_t *size, const char **error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *secret = NULL;
	ssize_t got;

	if (fd == -1) {
		*error = strerror(errno);
		return NULL;
	}
	*error = check(fd);
	if (*error != NULL)
		goto close_file;
	secret = malloc(SECRET_MAX + 1);
	got = secret != NULL ? read_all(fd, secret) : -1;
	if (got == -1) {
		*error = strerror(errno);
		secret_free(secret, SECRET_MAX);
		secret = NULL;
		goto close_file;
	}
	secret[got] = '\0';
	*size = (size_t)got;
close_file:
	close(fd);
	return secret;
}

void
secret_free(char *secret, size_t size)
{
	if (secret == NULL)
		return;
	explicit_bzero(secret, size);
	free(secret);
}
