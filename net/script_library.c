/*
 * The libraries that scripts get: those of Lua, but for what would get around the limits. Lua calls
 * no hooks, and so counts no steps, in finalizers, in message handlers of an error that a hook
 * raised, and when it closes what a coroutine left that ended by such an error. So there are no
 * finalizers, handlers run behind the error, and no error of a hook ends a coroutine.
 */
#include "net/script_private.h"

#ifdef HAVE_LUA

#include <lualib.h>
#include <string.h>

#include "net/notice.h"

/* print() belongs to stderr: stdout may be a stream of data. */
static int
script_print(lua_State *lua)
{
	int count = lua_gettop(lua);
	luaL_Buffer line;

	luaL_buffinit(lua, &line);
	for (int i = 1; i <= count; i++) {
		if (i > 1)
			luaL_addchar(&line, ' ');
		luaL_tolstring(lua, i, NULL);
		luaL_addvalue(&line);
	}
	luaL_pushresult(&line);
	notice(NOTICE_INFO, "%s", lua_tostring(lua, -1));
	return 0;
}

/* setmetatable() as in Lua, without __gc. */
static int
script_setmetatable(lua_State *lua)
{
	int type = lua_type(lua, 2);

	luaL_checktype(lua, 1, LUA_TTABLE);
	luaL_argexpected(lua, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
	lua_settop(lua, 2);
	if (luaL_getmetafield(lua, 1, "__metatable") != LUA_TNIL)
		return luaL_error(lua, "cannot change a protected metatable");
	lua_pushliteral(lua, "__gc");
	if (type == LUA_TTABLE && lua_rawget(lua, 2) != LUA_TNIL)
		return luaL_error(lua, "scripts have no finalizers (__gc)");
	lua_settop(lua, 2);
	lua_setmetatable(lua, 1);
	return 1;
}

/* -- xpcall -- */

/* The stack is what the handler returned. */
static int
xpcall_handled(lua_State *lua, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	lua_pushboolean(lua, false);
	lua_insert(lua, 1);
	return lua_gettop(lua);
}

/* The stack is the handler, and what the function returned, or its error. */
static int
xpcall_done(lua_State *lua, int status, lua_KContext handled)
{
	if (status == LUA_OK || status == LUA_YIELD || handled != 0) {
		lua_pushboolean(lua, status == LUA_OK || status == LUA_YIELD);
		lua_replace(lua, 1);
		return lua_gettop(lua);
	}
	lua_callk(lua, 1, 1, 0, xpcall_handled);
	return xpcall_handled(lua, LUA_OK, 0);
}

/* xpcall(), with the handler called when the error is over. But for debug.traceback(), the upvalue,
 * which runs nothing in Lua, and would find no stack any more. */
static int
script_xpcall(lua_State *lua)
{
	int count = lua_gettop(lua) - 2;
	bool traces;

	luaL_checktype(lua, 2, LUA_TFUNCTION);
	traces = lua_rawequal(lua, 2, lua_upvalueindex(1));
	lua_pushvalue(lua, 1);
	lua_copy(lua, 2, 1);
	lua_replace(lua, 2);
	return xpcall_done(
	    lua, lua_pcallk(lua, count, LUA_MULTRET, traces ? 1 : 0, traces, xpcall_done), traces);
}

/* -- coroutines -- */

static int
coroutine_done(lua_State *lua, int status, lua_KContext context)
{
	(void)context;
	if (status != LUA_OK && status != LUA_YIELD)
		return lua_error(lua);
	return lua_gettop(lua);
}

/* What a coroutine runs: its function, the upvalue, whose errors it raises anew. */
static int
coroutine_body(lua_State *lua)
{
	int count = lua_gettop(lua);

	script_limits_coroutine(lua);
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_insert(lua, 1);
	return coroutine_done(lua, lua_pcallk(lua, count, LUA_MULTRET, 0, 0, coroutine_done), 0);
}

/* coroutine.create() or wrap(); the upvalue is Lua's. */
static int
script_coroutine(lua_State *lua)
{
	luaL_checktype(lua, 1, LUA_TFUNCTION);
	lua_settop(lua, 1);
	lua_pushcclosure(lua, coroutine_body, 1);
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_insert(lua, 1);
	lua_call(lua, 1, 1);
	return 1;
}

static void
replace_coroutine(lua_State *lua, const char *name)
{
	lua_getglobal(lua, "coroutine");
	lua_getfield(lua, -1, name);
	lua_pushcclosure(lua, script_coroutine, 1);
	lua_setfield(lua, -2, name);
	lua_pop(lua, 1);
}

/* -- all of them -- */

/* debug.traceback() is all that is left of its library; on top of the stack then. */
static void
replace_debug(lua_State *lua)
{
	luaL_getsubtable(lua, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_getfield(lua, -1, "debug");
	lua_getfield(lua, -1, "traceback");
	lua_createtable(lua, 0, 1);
	lua_pushvalue(lua, -2);
	lua_setfield(lua, -2, "traceback");
	lua_pushvalue(lua, -1);
	lua_setfield(lua, -5, "debug");
	lua_setglobal(lua, "debug");
}

/* Nobody is to put a finalizer into the metatable of files. */
static void
protect_files(lua_State *lua)
{
	luaL_getmetatable(lua, LUA_FILEHANDLE);
	lua_pushboolean(lua, false);
	lua_setfield(lua, -2, "__metatable");
	lua_pop(lua, 1);
}

/* Have require() look beside the script first. */
static void
set_search_path(lua_State *lua, const char *path)
{
	const char *slash = strrchr(path, '/');

	lua_getglobal(lua, "package");
	lua_pushlstring(lua, path, slash != NULL ? (size_t)(slash - path + 1) : 0);
	lua_pushstring(lua, "?.lua;");
	lua_getfield(lua, -3, "path");
	lua_concat(lua, 3);
	lua_setfield(lua, -2, "path");
	lua_pop(lua, 1);
}

int
script_library_open(lua_State *lua)
{
	const struct script_state *state = lua_touserdata(lua, 1);

	luaL_openlibs(lua);
	lua_register(lua, "print", script_print);
	lua_register(lua, "setmetatable", script_setmetatable);
	replace_coroutine(lua, "create");
	replace_coroutine(lua, "wrap");
	replace_debug(lua);
	lua_pushcclosure(lua, script_xpcall, 1);
	lua_setglobal(lua, "xpcall");
	protect_files(lua);
	lua_getglobal(lua, "os");
	lua_pushnil(lua); /* only a signal ends the process, with all logs complete */
	lua_setfield(lua, -2, "exit");
	set_search_path(lua, state->path);
	return 0;
}

#endif
