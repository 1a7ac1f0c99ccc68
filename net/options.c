#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/complaint.h"
#include "format/units.h"
#include "format/version.h"
#include "net/listener.h"
#include "net/notice.h"
#include "net/options.h"

bool
options_common(int option, int *family, int *verbose)
{
	switch (option) {
	case '4':
	case '6':
		*family = option == '4' ? AF_INET : AF_INET6;
		return true;
	case 'v':
		*verbose = *verbose < 0 ? 1 : *verbose + 1;
		return true;
	case 'q':
		*verbose = -1;
		return true;
	default:
		return false;
	}
}

void
options_help(int option, const char *usage)
{
	if (option == 'h')
		fputs(usage, stdout);
	else if (option == 'V')
		printf("%s %s\n", getprogname(), VERSION_TEXT);
	else
		return;
	if (fflush(stdout) != 0)
		notice_exit("standard output: %s", strerror(errno));
	exit(0);
}

void
options_unknown(int mark, char *const *argv, const struct option *options)
{
	char text[COMPLAINT_MAX];

	notice(NOTICE_ERROR, "%s (try %s --help)", option_complaint(mark, argv, options, text),
	    getprogname());
}

void
options_refuse(const char *reason)
{
	notice_exit("%s (try %s --help)", reason, getprogname());
}

void
options_mask_nothing(struct mask_set *masks)
{
	if (masks->count == 0)
		return;
	notice(NOTICE_WARNING, "--compare size looks at no byte: the patterns mask nothing");
	mask_set_release(masks);
}

int
options_size(const char *option, const char *text, uint64_t *size)
{
	if (units_parse_size(text, size) == 0 && *size > 0)
		return 0;
	notice(NOTICE_ERROR, "%s: %s is not a size (such as 64k, 10M, 2G)", option, text);
	return -1;
}

int
options_time(const char *option, const char *text, int64_t *nanoseconds)
{
	if (units_parse_time(text, nanoseconds) == 0)
		return 0;
	notice(NOTICE_ERROR, "%s: %s is not a time (such as 200ms, 5s, 2m)", option, text);
	return -1;
}

int
options_number(
    const char *option, const char *text, long long least, long long most, long long *number)
{
	const char *error;

	*number = strtonum(text, least, most, &error);
	if (error == NULL)
		return 0;
	notice(NOTICE_ERROR, "%s: %s is %s (%lld to %lld)", option, text, error, least, most);
	return -1;
}

int
options_server(const char *host, const char *port, int family, struct address_list *list)
{
	struct address_name name;
	const char *reason =
	    port != NULL ? address_join(host, port, &name) : address_split(host, &name);

	if (port != NULL && options_is_joined(host))
		reason = "it has a port already";
	if (reason == NULL && !name.is_unix && name.host[0] == '\0')
		reason = "no host";
	if (reason == NULL && strspn(name.port, "0") == strlen(name.port) && !name.is_unix)
		reason = "port 0 is no server's";
	if (reason == NULL)
		reason = address_resolve(&name, family, false, list);
	if (reason == NULL)
		return 0;
	notice(NOTICE_ERROR, "server %s%s%s: %s", host, port != NULL ? " " : "",
	    port != NULL ? port : "", reason);
	return -1;
}

bool
options_is_joined(const char *text)
{
	const char *colon = strchr(text, ':');

	return strncmp(text, "unix:", 5) == 0 ||
	       (colon != NULL && (text[0] == '[' || colon == strrchr(text, ':')) &&
		   text[strlen(text) - 1] != ']');
}

static int
listen_one(struct listener *listener, const char *bind, const char *port, int family, void *context)
{
	struct address_name name;
	const char *reason;

	if (strncmp(bind, "unix:", 5) == 0)
		reason = address_split(bind, &name);
	else if (bind[0] == '\0' && strchr(port, ':') != NULL)
		reason = address_split(port, &name);
	else
		reason = address_join(bind, port, &name);
	if (reason == NULL && bind[0] != '\0' && name.host[0] == '\0')
		reason = "no address";
	if (reason == NULL)
		return listener_bind(listener, &name, family, context);
	notice(NOTICE_ERROR, "cannot listen on %s%s%s: %s", bind, bind[0] != '\0' ? " " : "port ",
	    port, reason);
	return -1;
}

int
options_listen(struct listener *listener, char *const *binds, size_t bind_count, const char *port,
    int family, void *context)
{
	if (bind_count == 0)
		return listen_one(listener, "", port, family, context);
	for (size_t i = 0; i < bind_count; i++) {
		/* an unset variable of a shell must not mean all addresses */
		if (binds[i][0] == '\0') {
			notice(NOTICE_ERROR, "--bind: no address");
			return -1;
		}
		if (listen_one(listener, binds[i], port, family, context) == -1)
			return -1;
	}
	return 0;
}
