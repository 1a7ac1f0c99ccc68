/* One connection as a script knows it, and the calls that are about it. */
#include "net/script_private.h"

#ifdef HAVE_LUA

#include <string.h>

void
script_conn_init(struct script_conn *conn, struct script *script, const struct conn_info *info)
{
	*conn = (struct script_conn){
	    .state = script_state_join(script), .info = info, .table = LUA_NOREF};
}

void
script_conn_release(struct script_conn *conn)
{
	if (conn->state == NULL)
		return;
	luaL_unref(conn->state->lua, LUA_REGISTRYINDEX, conn->table);
	script_state_leave(conn->state);
	conn->state = NULL;
}

void
script_conn_refresh(struct script_conn *conn)
{
	conn->known = false;
}

bool
script_conn_has(const struct script_conn *conn, enum script_function function)
{
	return conn->state->functions[function] != LUA_NOREF;
}

const char *
script_conn_error(const struct script_conn *conn)
{
	return conn->state->error;
}

/* -- conn -- */

static void
set_address(lua_State *lua, const char *name, const struct address *address)
{
	char text[ADDRESS_TEXT_MAX];

	if (address->family == 0)
		return;
	lua_pushstring(lua, address_format(address, text));
	lua_setfield(lua, -2, name);
}

static void
push_conn(lua_State *lua, struct script_conn *conn)
{
	const struct conn_info *info = conn->info;

	if (conn->table == LUA_NOREF) {
		lua_createtable(lua, 0, 4);
		lua_pushinteger(lua, (lua_Integer)info->id);
		lua_setfield(lua, -2, "id");
		lua_pushstring(lua, conn->stream);
		lua_setfield(lua, -2, "stream");
		lua_pushvalue(lua, -1);
		conn->table = luaL_ref(lua, LUA_REGISTRYINDEX);
	} else {
		lua_rawgeti(lua, LUA_REGISTRYINDEX, conn->table);
	}
	if (conn->known)
		return;
	set_address(lua, "client", &info->client);
	set_address(lua, "server", &info->server);
	conn->known = true;
}

/* -- calls -- */

void
script_call_function(lua_State *lua, const struct script_call *call)
{
	lua_rawgeti(lua, LUA_REGISTRYINDEX, call->conn->state->functions[call->function]);
	lua_pushlstring(lua, (const char *)call->data, call->size);
	push_conn(lua, call->conn);
	lua_call(lua, 2, 1);
}

static int
rewrite_body(lua_State *lua)
{
	const struct script_call *call = lua_touserdata(lua, 1);

	script_call_function(lua, call);
	if (lua_type(lua, -1) != LUA_TSTRING && !lua_isnil(lua, -1))
		return script_blame(lua, call, "%s returned a %s, not a string",
		    script_function_names[call->function], luaL_typename(lua, -1));
	return 1;
}

int
script_rewrite(struct script_conn *conn, enum script_function function, const unsigned char **data,
    size_t *size)
{
	struct script_call call = {
	    .conn = conn, .function = function, .data = *data, .size = *size};

	if (script_run(conn->state, rewrite_body, &call, SCRIPT_CALL_STEPS) == -1)
		return -1;
	if (lua_type(conn->state->lua, -1) == LUA_TSTRING)
		*data = (const unsigned char *)lua_tolstring(conn->state->lua, -1, size);
	return 0;
}

static int
tell_body(lua_State *lua)
{
	script_call_function(lua, lua_touserdata(lua, 1));
	return 0;
}

int
script_tell(struct script_conn *conn, enum script_function function, const char *remote)
{
	struct script_call call = {.conn = conn,
	    .function = function,
	    .data = (const unsigned char *)remote,
	    .size = strlen(remote)};

	if (!script_conn_has(conn, function))
		return 0;
	return script_run(conn->state, tell_body, &call, SCRIPT_CALL_STEPS);
}

#endif
