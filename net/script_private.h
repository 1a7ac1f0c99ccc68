/* What the files of a script know of it. Private to them. */
#ifndef NET_SCRIPT_PRIVATE_H
#define NET_SCRIPT_PRIVATE_H

#include "net/script.h"

#ifdef HAVE_LUA

#include <lauxlib.h>
#include <lua.h>

#define SCRIPT_ERROR_MAX 1024

extern const char *const script_function_names[SCRIPT_FUNCTIONS];

/* One loading of a script's file. */
struct script_state {
	lua_State *lua;
	char *path;
	unsigned users;			 /* the script and its connections */
	int functions[SCRIPT_FUNCTIONS]; /* references; LUA_NOREF: not defined */
	size_t held;			 /* bytes allocated */
	int64_t steps;			 /* left to the call that is under way */
	char where[LUA_IDSIZE + 16];	 /* where memory was refused last: "name.lua:12" */
	char error[SCRIPT_ERROR_MAX];
};

/* A call in the making. Within body(), a C function of Lua, any error may be raised. */
struct script_call {
	struct script_conn *conn;
	enum script_function function;
	const unsigned char *data;
	size_t size;
	struct script_route *route;
};

/*
 * Run `body` in protected mode with `call` as its only argument, a light userdata, and within
 * `steps`. What it returns is on the stack until the next script_run(). Returns -1 with
 * state->error.
 */
int script_run(struct script_state *state, lua_CFunction body, void *call, int64_t steps);

/* Within body(): call the function with a string and conn; its one result is on top then. */
void script_call_function(lua_State *lua, const struct script_call *call);

/* Within body(): raise an error that names the place where the function is defined. */
int script_blame(lua_State *lua, const struct script_call *call, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What the script is now; one user more, who must script_state_leave(). */
struct script_state *script_state_join(struct script *script);
void script_state_leave(struct script_state *state);

/* script_limits.c */

/* A state with the libraries that scripts get, within the limits. Returns -1 with errno. */
int script_limits_open(struct script_state *state);

/* Give the next call so many steps. */
void script_limits_set(struct script_state *state, int64_t steps);

/* Within a coroutine that begins: have its steps counted, too. Raises an error if there are no
 * more. */
void script_limits_coroutine(lua_State *lua);

/* script_library.c */

/* A body(): open the libraries that scripts get. Its argument is the state. */
int script_library_open(lua_State *lua);

#endif
#endif
