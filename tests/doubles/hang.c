/*
 * A file system that hangs or is slow: preloaded into netrecord, calls that write to or name files
 * below $HANG_ROOT block while the file $HANG_FLAG exists, or if that holds a number take so many
 * milliseconds more.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int
is_below_root(const char *path)
{
	const char *root = getenv("HANG_ROOT");

	return root != NULL && strncmp(path, root, strlen(root)) == 0;
}

static void
block(void)
{
	struct timespec nap = {.tv_nsec = 5000000};
	const char *flag = getenv("HANG_FLAG");
	FILE *file;

	while (flag != NULL && (file = fopen(flag, "r")) != NULL) {
		long slow = 0;
		int numbers = fscanf(file, "%ld", &slow);
		fclose(file);
		if (numbers == 1)
			nap.tv_nsec = slow * 1000000;
		nanosleep(&nap, NULL);
		if (numbers == 1)
			break;
	}
}

static void
block_descriptor(int fd)
{
	char link[64], path[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/thread-self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof(path) - 1);
	if (length <= 0)
		return;
	path[length] = '\0';
	if (is_below_root(path))
		block();
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t
write(int fd, const void *data, size_t size)
{
	int saved = errno;
	block_descriptor(fd);
	errno = saved;
	return NEXT(write)(fd, data, size);
}

ssize_t
writev(int fd, const struct iovec *pieces, int count)
{
	block_descriptor(fd);
	return NEXT(writev)(fd, pieces, count);
}

ssize_t
pwritev(int fd, const struct iovec *pieces, int count, off_t offset)
{
	block_descriptor(fd);
	return NEXT(pwritev)(fd, pieces, count, offset);
}

ssize_t
pwrite(int fd, const void *data, size_t size, off_t offset)
{
	block_descriptor(fd);
	return NEXT(pwrite)(fd, data, size, offset);
}

int
ftruncate(int fd, off_t size)
{
	block_descriptor(fd);
	return NEXT(ftruncate)(fd, size);
}

int
fsync(int fd)
{
	block_descriptor(fd);
	return NEXT(fsync)(fd);
}

int
fstat(int fd, struct stat *status)
{
	block_descriptor(fd);
	return NEXT(fstat)(fd, status);
}

int
openat(int directory, const char *path, int flags, ...)
{
	va_list arguments;

	va_start(arguments, flags);
	mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	if (path[0] == '/') {
		if (is_below_root(path))
			block();
	} else if (directory >= 0)
		block_descriptor(directory);
	return NEXT(openat)(directory, path, flags, mode);
}
