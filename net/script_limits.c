/* What stops a script: memory by the allocator, endless loops by a count hook. */
#include "net/script_private.h"

#ifdef HAVE_LUA

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define HOOK_EVERY 100000    /* instructions: seldom enough to cost nothing */
#define COROUTINE_EVERY 1000 /* the same in a coroutine, which pays for the first of them */
#define STOPPED "stopped: too many steps in one call"

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

/* How often a thread is looked at that was not stopped. */
static int
hook_every(lua_State *lua)
{
	int is_main = lua_pushthread(lua);

	lua_pop(lua, 1);
	return is_main ? HOOK_EVERY : COROUTINE_EVERY;
}

static void
steps_hook(lua_State *lua, lua_Debug *debug)
{
	struct script_state *state = state_of(lua);

	state->steps -= lua_gethookcount(lua);
	if (state->steps > 0) {
		if (lua_gethookcount(lua) == 1) /* a coroutine that was stopped once */
			lua_sethook(lua, steps_hook, LUA_MASKCOUNT, hook_every(lua));
		return;
	}
	/* From now on at each instruction, so that no pcall() in the script gets around it. */
	lua_sethook(lua, steps_hook, LUA_MASKCOUNT, 1);
	lua_getinfo(lua, "Sl", debug);
	lua_pushfstring(lua, "%s:%d: " STOPPED, debug->short_src, debug->currentline);
	lua_error(lua);
}

void
script_limits_set(struct script_state *state, int64_t steps)
{
	state->steps = steps;
	state->where[0] = '\0';
	lua_sethook(state->lua, steps_hook, LUA_MASKCOUNT, HOOK_EVERY);
}

void
script_limits_coroutine(lua_State *lua)
{
	struct script_state *state = state_of(lua);

	lua_sethook(lua, steps_hook, LUA_MASKCOUNT, COROUTINE_EVERY);
	state->steps -= COROUTINE_EVERY;
	if (state->steps <= 0)
		luaL_error(lua, STOPPED);
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
	return script_run(state, script_library_open, state, SCRIPT_LOAD_STEPS);
}

#endif
