#define LIBBSD_OPENBSD_VIS 1 /* vis.h warns unless told which strnvis(3); none is used here */
#include "net/notice.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vis.h>

#define MESSAGE_MAX 2000
#define RATION 10
#define RATION_WINDOW INT64_C(1000000000)

static _Atomic int shown = NOTICE_INFO;

void
notice_set_level(enum notice_level level)
{
	atomic_store_explicit(&shown, (int)level, memory_order_relaxed);
}

void
notice_set_verbose(int verbose)
{
	notice_set_level(verbose < 0 ? NOTICE_ERROR : (enum notice_level)(NOTICE_INFO + verbose));
}

/* -- stderr, for which nothing ever waits -- */

static pthread_once_t opened = PTHREAD_ONCE_INIT;
static int own = -1;		/* stderr, opened anew; -1: it is written to itself */
static _Atomic uint64_t unread; /* messages that there was no room for */

/* O_NONBLOCK would hold for all that share stderr, the shell among them. */
static void
notice_open(void)
{
	struct stat status;

	if (fstat(STDERR_FILENO, &status) == 0 &&
	    (S_ISFIFO(status.st_mode) || isatty(STDERR_FILENO)))
		own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int
notice_descriptor(void)
{
	pthread_once(&opened, notice_open);
	return own;
}

/* Write a line of PIPE_BUF bytes at most; false if its reader leaves no room. A stderr that is gone
 * or full leaves nobody to tell. */
static bool
notice_put(const char *line, size_t size)
{
	struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
	int fd = notice_descriptor();

	if (fd == -1 && poll(&room, 1, 0) == 0)
		return false;
	ssize_t put = write(fd != -1 ? fd : STDERR_FILENO, line, size);
	return put < 0 ? errno != EAGAIN : (size_t)put == size;
}

/* The same for the messages that there was no room for. */
static bool
notice_put_unread(void)
{
	uint64_t count = atomic_exchange(&unread, 0);
	char line[128];

	if (count == 0)
		return true;
	int size = snprintf(line, sizeof(line),
	    "%.60s: %" PRIu64 " messages lost: nobody read them\n", getprogname(), count);
	if (notice_put(line, (size_t)size))
		return true;
	atomic_fetch_add(&unread, count);
	return false;
}

/* -- messages -- */

static void
notice_write(const char *format, va_list arguments)
{
	char message[MESSAGE_MAX];
	char line[64 + 4 * MESSAGE_MAX]; /* vis(3) makes up to four bytes of one */

	if (vsnprintf(message, sizeof(message), format, arguments) < 0)
		return;
	size_t size = (size_t)snprintf(line, 64, "%.60s: ", getprogname());
	size += (size_t)strvis(line + size, message, VIS_CSTYLE | VIS_TAB | VIS_NL | VIS_NOSLASH);
	if (size >= PIPE_BUF) /* larger ones are not written as a whole */
		size = PIPE_BUF - 1;
	line[size++] = '\n';
	if (!notice_put_unread() || !notice_put(line, size))
		atomic_fetch_add(&unread, 1);
}

void
notice(enum notice_level level, const char *format, ...)
{
	int error = errno;
	va_list arguments;

	if ((int)level > atomic_load_explicit(&shown, memory_order_relaxed))
		return;
	va_start(arguments, format);
	notice_write(format, arguments);
	va_end(arguments);
	errno = error;
}

void
notice_exit(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	notice_write(format, arguments);
	va_end(arguments);
	exit(2);
}

bool
notice_ration_take(struct notice_ration *ration, int64_t now)
{
	if (ration->withheld == 0 && now - ration->window >= RATION_WINDOW) {
		ration->window = now;
		ration->said = 0;
	}
	if (ration->said < RATION) {
		ration->said++;
		return true;
	}
	ration->withheld++;
	return false;
}

uint64_t
notice_ration_rest(struct notice_ration *ration, int64_t now)
{
	uint64_t rest = ration->withheld;

	if (rest == 0 || now - ration->window < RATION_WINDOW)
		return 0;
	ration->withheld = 0;
	return rest;
}
