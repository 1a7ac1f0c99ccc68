/* What a script gets, and what stops it: memory by the allocator, endless loops by a count hook. */
#include "net/script_private.h"

#ifdef HAVE_LUA

#include <errno.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/notice.h"

#define HOOK_EVERY 100000 /* instructions: seldom enough to cost nothing */

static struct script_state *
state_of(lua_State *lua)
{
	return *(struct script_state **)lua_getextraspace(lua);
}

/* Remember the line that wanted too much: Lua's own error does not name it. */
static void
note_line(struct script_state *state)
{
	lua_Debug debug;

	if (state->lua == NULL)
		return;
	for (int level = 0; lua_getstack(state->lua, level, &debug); level++) {
		lua_getinfo(state->lua, "Sl", &debug);
		if (debug.currentline > 0) {
			snprintf(state->where, sizeof(state->where), "%s:%d", debug.short_src,
			    debug.currentline);
			return;
		}
	}
}

static void *
limited_alloc(void *context, void *old, size_t old_size, size_t new_size)
{
	struct script_state *state = context;
	void *new;

	if (old == NULL)
		old_size = 0; /* it tells the kind of object then */
	if (new_size == 0) {
		state->held -= old_size;
		free(old);
		return NULL;
	}
	if (new_size > old_size && new_size - old_size > SCRIPT_MEMORY_MAX - state->held) {
		note_line(state);
		return NULL;
	}
	new = realloc(old, new_size);
	if (new != NULL)
		state->held += new_size - old_size;
	return new;
}

static void
steps_hook(lua_State *lua, lua_Debug *debug)
{
	struct script_state *state = state_of(lua);

	state->steps -= lua_gethookcount(lua);
	if (state->steps > 0) {
		if (lua_gethookcount(lua) != HOOK_EVERY) /* a coroutine that was stopped once */
			lua_sethook(lua, steps_hook, LUA_MASKCOUNT, HOOK_EVERY);
		return;
	}
	/* From now on at each instruction, so that no pcall() in the script gets around it. */
	lua_sethook(lua, steps_hook, LUA_MASKCOUNT, 1);
	lua_getinfo(lua, "Sl", debug);
	lua_pushfstring(lua, "%s:%d: stopped: too many steps in one call", debug->short_src,
	    debug->currentline);
	lua_error(lua);
}

void
script_limits_set(struct script_state *state, int64_t steps)
{
	state->steps = steps;
	state->where[0] = '\0';
	lua_sethook(state->lua, steps_hook, LUA_MASKCOUNT, HOOK_EVERY);
}

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

static int
open_libraries(lua_State *lua)
{
	const struct script_state *state = lua_touserdata(lua, 1);

	luaL_openlibs(lua);
	lua_pushcfunction(lua, script_print);
	lua_setglobal(lua, "print");
	lua_getglobal(lua, "os");
	lua_pushnil(lua); /* only a signal ends the process, with all logs complete */
	lua_setfield(lua, -2, "exit");
	set_search_path(lua, state->path);
	return 0;
}

int
script_limits_open(struct script_state *state)
{
	state->lua = lua_newstate(limited_alloc, state);
	if (state->lua == NULL) {
		errno = ENOMEM;
		return -1;
	}
	*(struct script_state **)lua_getextraspace(state->lua) = state;
	return script_run(state, open_libraries, state, SCRIPT_LOAD_STEPS);
}

#endif
