#define LIBBSD_OPENBSD_VIS 1 /* vis.h warns unless told which strnvis(3); none is used here */
#include "net/notice.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static void
notice_write(const char *format, va_list arguments)
{
	char message[MESSAGE_MAX];
	char line[64 + 4 * MESSAGE_MAX]; /* vis(3) makes up to four bytes of one */

	if (vsnprintf(message, sizeof(message), format, arguments) < 0)
		return;
	size_t size = (size_t)snprintf(line, 64, "%.60s: ", getprogname());
	size += (size_t)strvis(line + size, message, VIS_CSTYLE | VIS_TAB | VIS_NL | VIS_NOSLASH);
	line[size++] = '\n';
	/* A stderr that is gone or full leaves nobody to tell. */
	if (write(STDERR_FILENO, line, size) < 0)
		return;
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
