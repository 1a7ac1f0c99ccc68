/* What route() returns, read. */
#include "net/script_private.h"

#ifdef HAVE_LUA

#include <string.h>

#define SECONDS_MAX 1e9

/* A field's string; it stays on the stack. NULL if the field is not there. */
static const char *
field_string(lua_State *lua, const struct script_call *call, const char *name, size_t *size)
{
	int type = lua_getfield(lua, 2, name);

	if (type == LUA_TNIL)
		return NULL;
	if (type != LUA_TSTRING)
		script_blame(
		    lua, call, "route: %s is a %s, not a string", name, lua_typename(lua, type));
	return lua_tolstring(lua, -1, size);
}

static int64_t
field_time(lua_State *lua, const struct script_call *call, const char *name)
{
	int type = lua_getfield(lua, 2, name);
	lua_Number seconds = lua_tonumber(lua, -1);

	lua_pop(lua, 1);
	if (type == LUA_TNIL)
		return 0;
	if (type != LUA_TNUMBER || !(seconds > 0 && seconds <= SECONDS_MAX))
		script_blame(lua, call, "route: %s is no number of seconds", name);
	return (int64_t)(seconds * 1e9) + 1;
}

static bool
field_true(lua_State *lua, const char *name)
{
	bool result;

	lua_getfield(lua, 2, name);
	result = lua_toboolean(lua, -1);
	lua_pop(lua, 1);
	return result;
}

/* A misspelt field must not pass for one that was not given. */
static void
check_fields(lua_State *lua, const struct script_call *call)
{
	static const char *const known[] = {"remote", "data", "reply", "connect_timeout",
	    "inactivity_timeout", "close", "noop", NULL};

	for (lua_pushnil(lua); lua_next(lua, 2); lua_pop(lua, 1)) {
		const char *name = lua_type(lua, -2) == LUA_TSTRING ? lua_tostring(lua, -2) : "?";
		int i = 0;

		while (known[i] != NULL && strcmp(known[i], name) != 0)
			i++;
		if (known[i] == NULL)
			script_blame(lua, call, "route: unknown field %s", name);
	}
}

static void
take_remote(lua_State *lua, const struct script_call *call, const char *remote, size_t size)
{
	struct script_route *route = call->route;
	const char *reason = address_split(remote, &route->name);

	if (strlen(remote) != size)
		reason = "NUL in it";
	if (reason == NULL && !route->name.is_unix && route->name.host[0] == '\0')
		reason = "no host";
	if (reason == NULL && !route->name.is_unix &&
	    strspn(route->name.port, "0") == strlen(route->name.port))
		reason = "port 0 is no server's";
	if (reason != NULL)
		script_blame(lua, call, "route: remote %.128s: %s", remote, reason);
	route->decision = SCRIPT_REMOTE;
	route->remote = remote;
}

static void
take_close(lua_State *lua, const struct script_call *call)
{
	struct script_route *route = call->route;

	route->decision = SCRIPT_CLOSE;
	lua_getfield(lua, 2, "close");
	if (lua_isboolean(lua, -1))
		return;
	lua_pop(lua, 1);
	route->reply = field_string(lua, call, "close", &route->reply_size);
}

static void
take_table(lua_State *lua, const struct script_call *call)
{
	struct script_route *route = call->route;
	const char *remote;
	size_t size;

	check_fields(lua, call);
	remote = field_string(lua, call, "remote", &size);
	if (remote != NULL) {
		take_remote(lua, call, remote, size);
		route->data = field_string(lua, call, "data", &route->data_size);
		route->reply = field_string(lua, call, "reply", &route->reply_size);
		route->connect_timeout = field_time(lua, call, "connect_timeout");
		route->inactivity_timeout = field_time(lua, call, "inactivity_timeout");
	} else if (field_true(lua, "close")) {
		take_close(lua, call);
	} else if (!field_true(lua, "noop")) {
		script_blame(lua, call, "route returned a table without remote, close and noop");
	}
}

/* Index 1 is the call, 2 what the function returned; strings stay on the stack behind it. */
static int
route_body(lua_State *lua)
{
	const struct script_call *call = lua_touserdata(lua, 1);
	const char *remote;
	size_t size;

	script_call_function(lua, call);
	switch (lua_type(lua, 2)) {
	case LUA_TNIL:
		break;
	case LUA_TSTRING:
		remote = lua_tolstring(lua, 2, &size);
		take_remote(lua, call, remote, size);
		break;
	case LUA_TTABLE:
		take_table(lua, call);
		break;
	default:
		return script_blame(lua, call, "route returned a %s", luaL_typename(lua, 2));
	}
	return lua_gettop(lua);
}

int
script_route(
    struct script_conn *conn, const unsigned char *data, size_t size, struct script_route *route)
{
	struct script_call call = {
	    .conn = conn, .function = SCRIPT_ROUTE, .data = data, .size = size, .route = route};

	*route = (struct script_route){.decision = SCRIPT_WAIT};
	return script_run(conn->state, route_body, &call, SCRIPT_CALL_STEPS);
}

#endif
