/* A build without Lua: no script can be loaded, and so nothing else is ever called. */
#include "net/script.h"

#ifndef HAVE_LUA

#include <stdlib.h>

#include "net/notice.h"

struct script *
script_load(const char *path, bool must_route)
{
	(void)must_route;
	notice(NOTICE_ERROR, "--script %s: this build has no Lua 5.4", path);
	return NULL;
}

void
script_reload(struct script *script)
{
	(void)script;
}

void
script_free(struct script *script)
{
	(void)script;
}

void
script_conn_init(struct script_conn *conn, struct script *script, const struct conn_info *info)
{
	(void)script;
	*conn = (struct script_conn){.info = info};
}

void
script_conn_release(struct script_conn *conn)
{
	(void)conn;
}

void
script_conn_refresh(struct script_conn *conn)
{
	(void)conn;
}

bool
script_conn_has(const struct script_conn *conn, enum script_function function)
{
	(void)conn;
	(void)function;
	return false;
}

int
script_rewrite(struct script_conn *conn, enum script_function function, const unsigned char **data,
    size_t *size)
{
	(void)conn;
	(void)function;
	(void)data;
	(void)size;
	return 0;
}

int
script_tell(struct script_conn *conn, enum script_function function, const char *remote)
{
	(void)conn;
	(void)function;
	(void)remote;
	return 0;
}

int
script_route(
    struct script_conn *conn, const unsigned char *data, size_t size, struct script_route *route)
{
	(void)conn;
	(void)data;
	(void)size;
	*route = (struct script_route){.decision = SCRIPT_WAIT};
	return 0;
}

const char *
script_conn_error(const struct script_conn *conn)
{
	(void)conn;
	return "";
}

#endif
