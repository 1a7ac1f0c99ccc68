#include "net/script_private.h"

#ifdef HAVE_LUA

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/notice.h"

struct script {
	struct script_state *state; /* for connections to come */
	char *path;
	bool must_route;
};

const char *const script_function_names[SCRIPT_FUNCTIONS] = {
    [SCRIPT_ROUTE] = "route",
    [SCRIPT_CONNECT_ERROR] = "connect_error",
    [SCRIPT_INACTIVITY_ERROR] = "inactivity_error",
    [SCRIPT_CLIENT_DATA] = "client_data",
    [SCRIPT_SERVER_DATA] = "server_data",
    [SCRIPT_NORMALISE] = "normalise",
};

/* -- running -- */

/* Describe the error that is on top of the stack; always with the name of the script. */
static void
state_take_error(struct script_state *state, int status)
{
	const char *text = lua_tostring(state->lua, -1);
	const char *where = state->where[0] != '\0' ? state->where : state->path;

	if (status == LUA_ERRMEM)
		snprintf(state->error, sizeof(state->error), "%s: stopped: more than %d MiB held",
		    where, SCRIPT_MEMORY_MAX >> 20);
	else if (text == NULL)
		snprintf(state->error, sizeof(state->error), "%s: error is a %s", state->path,
		    luaL_typename(state->lua, -1));
	else if (strstr(text, ".lua:") == NULL && strstr(text, state->path) == NULL)
		snprintf(state->error, sizeof(state->error), "%s: %s", state->path, text);
	else
		strlcpy(state->error, text, sizeof(state->error));
}

int
script_run(struct script_state *state, lua_CFunction body, void *call, int64_t steps)
{
	int status;

	lua_settop(state->lua, 0);
	script_limits_set(state, steps);
	lua_pushcfunction(state->lua, body);
	lua_pushlightuserdata(state->lua, call);
	status = lua_pcall(state->lua, 1, LUA_MULTRET, 0);
	if (status == LUA_OK)
		return 0;
	state_take_error(state, status);
	lua_settop(state->lua, 0);
	return -1;
}

int
script_blame(lua_State *lua, const struct script_call *call, const char *format, ...)
{
	char text[256];
	va_list arguments;
	lua_Debug debug;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	lua_rawgeti(lua, LUA_REGISTRYINDEX, call->conn->state->functions[call->function]);
	lua_getinfo(lua, ">S", &debug);
	lua_pushfstring(lua, "%s:%d: %s", debug.short_src, debug.linedefined, text);
	return lua_error(lua);
}

/* -- loading -- */

static void
take_functions(lua_State *lua, struct script_state *state)
{
	int found = 0;

	for (int i = 0; i < SCRIPT_FUNCTIONS; i++) {
		int type = lua_getglobal(lua, script_function_names[i]);

		if (type != LUA_TFUNCTION && type != LUA_TNIL)
			luaL_error(lua, "%s: %s is a %s, not a function", state->path,
			    script_function_names[i], lua_typename(lua, type));
		if (type == LUA_TFUNCTION)
			found++;
		state->functions[i] = LUA_NOREF;
		if (type == LUA_TFUNCTION)
			state->functions[i] = luaL_ref(lua, LUA_REGISTRYINDEX);
		else
			lua_pop(lua, 1);
	}
	if (found == 0)
		luaL_error(lua, "%s: defines none of route, client_data, server_data, normalise",
		    state->path);
}

static int
load_file(lua_State *lua)
{
	struct script_state *state = lua_touserdata(lua, 1);

	if (luaL_loadfilex(lua, state->path, "t") != LUA_OK)
		return lua_error(lua);
	lua_pushstring(lua, state->path); /* `...`, for those that read files beside them */
	lua_call(lua, 1, 0);
	take_functions(lua, state);
	return 0;
}

static void
state_free(struct script_state *state)
{
	if (state->lua != NULL)
		lua_close(state->lua);
	free(state->path);
	free(state);
}

void
script_state_leave(struct script_state *state)
{
	if (state != NULL && --state->users == 0)
		state_free(state);
}

struct script_state *
script_state_join(struct script *script)
{
	script->state->users++;
	return script->state;
}

/* Returns NULL after telling the user why. */
static struct script_state *
state_load(const char *path, bool must_route)
{
	struct script_state *state = calloc(1, sizeof(*state));

	if (state == NULL || (state->path = strdup(path)) == NULL) {
		notice(NOTICE_ERROR, "%s: %s", path, strerror(ENOMEM));
		free(state);
		return NULL;
	}
	state->users = 1;
	snprintf(state->error, sizeof(state->error), "%s: %s", path, strerror(ENOMEM));
	if (script_limits_open(state) == -1 ||
	    script_run(state, load_file, state, SCRIPT_LOAD_STEPS) == -1)
		goto fail;
	if (!must_route || state->functions[SCRIPT_ROUTE] != LUA_NOREF)
		return state;
	snprintf(state->error, sizeof(state->error),
	    "%s: has no function route, and no server is given", path);
fail:
	notice(NOTICE_ERROR, "%s", state->error);
	state_free(state);
	return NULL;
}

struct script *
script_load(const char *path, bool must_route)
{
	struct script *script = calloc(1, sizeof(*script));

	if (script == NULL || (script->path = strdup(path)) == NULL) {
		notice(NOTICE_ERROR, "%s: %s", path, strerror(ENOMEM));
		free(script);
		return NULL;
	}
	script->must_route = must_route;
	script->state = state_load(path, must_route);
	if (script->state != NULL)
		return script;
	script_free(script);
	return NULL;
}

void
script_reload(struct script *script)
{
	struct script_state *state = state_load(script->path, script->must_route);

	if (state == NULL) {
		notice(
		    NOTICE_WARNING, "%s: not loaded, what was loaded before stays", script->path);
		return;
	}
	script_state_leave(script->state);
	script->state = state;
	notice(NOTICE_INFO, "%s: loaded anew", script->path);
}

void
script_free(struct script *script)
{
	if (script == NULL)
		return;
	script_state_leave(script->state);
	free(script->path);
	free(script);
}

#endif
