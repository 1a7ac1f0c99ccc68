/*
 * A nameserver that takes its time: preloaded into netrecord, getaddrinfo(3) for a name that ends
 * in ".slow" blocks while the file $SLOW_FLAG exists, and then gives 127.0.0.1; one that ends in
 * ".gone" is not known.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int
ends_in(const char *name, const char *end)
{
	size_t length = name != NULL ? strlen(name) : 0;

	return length >= strlen(end) && strcmp(name + length - strlen(end), end) == 0;
}

int
getaddrinfo(
    const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	const struct timespec nap = {.tv_nsec = 5000000};
	const char *flag = getenv("SLOW_FLAG");

	if (hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0)
		return NEXT(getaddrinfo)(name, service, hints, found);
	if (ends_in(name, ".gone"))
		return EAI_NONAME;
	if (!ends_in(name, ".slow"))
		return NEXT(getaddrinfo)(name, service, hints, found);
	while (flag != NULL && access(flag, F_OK) == 0)
		nanosleep(&nap, NULL);
	return NEXT(getaddrinfo)("127.0.0.1", service, hints, found);
}
