/*
 * A user's script: functions in Lua that route connections and rewrite what passes. See
 * netrecord-script(5). All of it belongs to one thread. Built without Lua, script_load() says so
 * and fails.
 */
#ifndef NET_SCRIPT_H
#define NET_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/address.h"
#include "net/observer.h"

/* What stops a script that has run away. */
#define SCRIPT_MEMORY_MAX (64 * 1024 * 1024) /* bytes that one loading of it may hold */
#define SCRIPT_CALL_STEPS INT64_C(10000000)  /* instructions of Lua that a call may take */
#define SCRIPT_LOAD_STEPS INT64_C(200000000) /* and loading it */

enum script_function {
	SCRIPT_ROUTE,
	SCRIPT_CONNECT_ERROR,
	SCRIPT_INACTIVITY_ERROR,
	SCRIPT_CLIENT_DATA,
	SCRIPT_SERVER_DATA,
	SCRIPT_NORMALISE,
	SCRIPT_FUNCTIONS /* how many there are */
};

struct script;
struct script_state;

/* Run the file; if it `must_route` it has to define route(). Returns NULL after telling the user
 * why. */
struct script *script_load(const char *path, bool must_route);

/* The same file anew, for connections to come; those that are there keep what they began with. If
 * it fails, the user is told, and all stays as it is. */
void script_reload(struct script *script);

/* Connections may outlive it. NULL is harmless. */
void script_free(struct script *script);

/* One connection as the script knows it: its own table of Lua, which costs nothing until it is
 * first asked for. Embedded in its owner. */
struct script_conn {
	struct script_state *state; /* of the script when the connection began */
	const struct conn_info *info;
	const char *stream; /* conn.stream; NULL: none */
	int table;	    /* private: reference to it */
	bool known;	    /* private: it has the addresses of `info` */
};

/* `info` and `stream` must outlive it. */
void script_conn_init(
    struct script_conn *conn, struct script *script, const struct conn_info *info);
void script_conn_release(struct script_conn *conn);

/* Addresses in `info` have changed: conn.client and conn.server will. */
void script_conn_refresh(struct script_conn *conn);

/* Is this function defined? */
bool script_conn_has(const struct script_conn *conn, enum script_function function);

/*
 * Have one of client_data, server_data and normalise see `size` bytes (0: the end of the stream).
 * `*data` and `*size` become what it returns, lent until the next call into any connection of the
 * script; they stay as they are if it returns nothing, or the same. Returns -1 if it fails, which
 * script_conn_error() describes.
 */
int script_rewrite(struct script_conn *conn, enum script_function function,
    const unsigned char **data, size_t *size);

/* Tell connect_error or inactivity_error. Returns -1 if it fails. */
int script_tell(struct script_conn *conn, enum script_function function, const char *remote);

enum script_decision {
	SCRIPT_WAIT,   /* for more bytes */
	SCRIPT_REMOTE, /* connect to `name` */
	SCRIPT_CLOSE   /* send `reply` and end the connection */
};

/* What route() decided; strings are lent until the next call into any connection of the script. */
struct script_route {
	enum script_decision decision;
	struct address_name name;
	const char *remote; /* as the script wrote it */
	const char *data;   /* to send to the server instead of the client's bytes; NULL: these */
	size_t data_size;
	const char *reply; /* to send to the client at once */
	size_t reply_size;
	int64_t connect_timeout, inactivity_timeout; /* nanoseconds; 0: not given */
};

/* Ask it where the client goes that has sent these bytes. Returns -1 if it fails. */
int script_route(
    struct script_conn *conn, const unsigned char *data, size_t size, struct script_route *route);

/* What went wrong last: "name.lua:12: ...". */
const char *script_conn_error(const struct script_conn *conn);

#endif
