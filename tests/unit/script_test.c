/* Scripts as the router sees them: what their functions return, and what stops them. */
#include "net/notice.h"
#include "net/script.h"
#include "tests/unit/files.h"

#ifdef HAVE_LUA

static struct conn_info info = {
    .id = 7, .client = {.family = AF_INET, .port = 4000, .u.bytes = {192, 0, 2, 1}}};

static struct script *
load(const char *lua)
{
	file_write("test.lua", lua);
	return script_load("test.lua", false);
}

/* What a function makes of `text`, to be compared with `expected`; NULL: it fails. */
static void
rewrites(struct script_conn *conn, const char *text, const char *expected)
{
	const unsigned char *data = (const unsigned char *)text;
	size_t size = strlen(text);
	int result = script_rewrite(conn, SCRIPT_CLIENT_DATA, &data, &size);

	EXPECT((result == 0) == (expected != NULL));
	if (expected != NULL)
		EXPECT(size == strlen(expected) && memcmp(data, expected, size) == 0);
}

static void
test_rewrite(void)
{
	struct script *script = load("function client_data(data, conn)\n"
				     "  conn.n = (conn.n or 0) + 1\n"
				     "  if data == 'keep' then return end\n"
				     "  if data == 'same' then return data end\n"
				     "  if data == 'fail' then error('no') end\n"
				     "  if data == 'number' then return 1 end\n"
				     "  return conn.n .. conn.id .. conn.client .. data\n"
				     "end");
	struct script_conn conn, other;
	const unsigned char *same = (const unsigned char *)"keep";
	size_t size = 4;

	EXPECT(script != NULL);
	script_conn_init(&conn, script, &info);
	script_conn_init(&other, script, &info);
	EXPECT(script_conn_has(&conn, SCRIPT_CLIENT_DATA));
	EXPECT(!script_conn_has(&conn, SCRIPT_SERVER_DATA));
	rewrites(&conn, "a", "17192.0.2.1:4000a");
	rewrites(&conn, "", "27192.0.2.1:4000");
	rewrites(&other, "b", "17192.0.2.1:4000b");
	rewrites(&conn, "same", "same");
	rewrites(&conn, "fail", NULL);
	EXPECT(strcmp(script_conn_error(&conn), "test.lua:5: no") == 0);
	rewrites(&conn, "number", NULL);
	EXPECT(
	    strstr(script_conn_error(&conn), "test.lua:1: client_data returned a number") != NULL);
	EXPECT(script_rewrite(&conn, SCRIPT_CLIENT_DATA, &same, &size) == 0 && size == 4);
	EXPECT(script_tell(&conn, SCRIPT_CONNECT_ERROR, "a:1") == 0);
	script_conn_release(&other);
	script_free(script); /* connections outlive it */
	rewrites(&conn, "z", "77192.0.2.1:4000z");
	script_conn_release(&conn);
}

static void
routes(struct script_conn *conn, const char *text, struct script_route *route)
{
	EXPECT(script_route(conn, (const unsigned char *)text, strlen(text), route) == 0);
}

static void
test_route(void)
{
	struct script *script =
	    load("local to = { host = 'example.com:80', six = '[::1]:81', unix = 'unix:/tmp/s',\n"
		 "  close = { close = true }, bye = { close = 'bye' }, noop = { noop = true },\n"
		 "  all = { remote = 'h:1', data = 'd\\0d', reply = '', connect_timeout = 0.25,\n"
		 "    inactivity_timeout = 3 } }\n"
		 "function route(data) return to[data] end");
	struct script_conn conn;
	struct script_route route;

	EXPECT(script != NULL);
	script_conn_init(&conn, script, &info);
	routes(&conn, "host", &route);
	EXPECT(route.decision == SCRIPT_REMOTE && strcmp(route.remote, "example.com:80") == 0);
	EXPECT(strcmp(route.name.host, "example.com") == 0 && strcmp(route.name.port, "80") == 0);
	EXPECT(route.data == NULL && route.reply == NULL && route.connect_timeout == 0);
	routes(&conn, "six", &route);
	EXPECT(strcmp(route.name.host, "::1") == 0);
	routes(&conn, "unix", &route);
	EXPECT(route.name.is_unix);
	routes(&conn, "close", &route);
	EXPECT(route.decision == SCRIPT_CLOSE && route.reply_size == 0);
	routes(&conn, "bye", &route);
	EXPECT(route.decision == SCRIPT_CLOSE && memcmp(route.reply, "bye", 3) == 0);
	routes(&conn, "noop", &route);
	EXPECT(route.decision == SCRIPT_WAIT);
	routes(&conn, "none of these", &route);
	EXPECT(route.decision == SCRIPT_WAIT);
	routes(&conn, "all", &route);
	EXPECT(route.data_size == 3 && memcmp(route.data, "d\0d", 3) == 0);
	EXPECT(route.reply != NULL && route.reply_size == 0);
	EXPECT(route.connect_timeout / 1000 == 250000);
	EXPECT(route.inactivity_timeout / 1000 == 3000000);
	script_conn_release(&conn);
	script_free(script);
}

/* What runs away is stopped each time, and the script can be used as before. */
static void
test_limits(void)
{
	struct script *script =
	    load("local co = coroutine.wrap(function() while true do coroutine.yield() end end)\n"
		 "function client_data(data)\n"
		 "  if data == 'loop' then while true do pcall(co) end end\n"
		 "  if data == 'memory' then local t = {} for i = 1, 1e9 do t[i] = {} end end\n"
		 "  if data == 'string' then return ('x'):rep(1 << 30) end\n"
		 "  return 'fine'\n"
		 "end");
	struct script_conn conn;

	EXPECT(script != NULL);
	script_conn_init(&conn, script, &info);
	for (int i = 0; i < 3; i++) {
		rewrites(&conn, "loop", NULL);
		EXPECT(strstr(script_conn_error(&conn), "test.lua:") != NULL);
		EXPECT(strstr(script_conn_error(&conn), "too many steps") != NULL);
		rewrites(&conn, "memory", NULL);
		EXPECT(strcmp(script_conn_error(&conn),
			   "test.lua:4: stopped: more than 64 MiB held") == 0);
		rewrites(&conn, "string", NULL);
		EXPECT(strstr(script_conn_error(&conn), "test.lua:5: ") != NULL);
		rewrites(&conn, "x", "fine");
	}
	script_conn_release(&conn);
	script_free(script);
}

static void
test_reload(void)
{
	struct script *script =
	    load("n = 0 function client_data() n = n + 1 return 'old' .. n end");
	struct script_conn before, after;

	EXPECT(script != NULL);
	script_conn_init(&before, script, &info);
	rewrites(&before, "x", "old1");
	file_write("test.lua", "= = =");
	script_reload(script);
	rewrites(&before, "x", "old2");
	file_write("test.lua", "function client_data() return 'new' end");
	script_reload(script);
	script_conn_init(&after, script, &info);
	rewrites(&after, "x", "new");
	rewrites(&before, "x", "old3");
	script_conn_release(&before);
	script_conn_release(&after);
	script_free(script);
}

int
main(void)
{
	char folder[] = "/tmp/script-test-XXXXXX";

	notice_set_level(NOTICE_ANNOUNCE);
	folder_enter(folder);
	test_rewrite();
	test_route();
	test_limits();
	test_reload();
	EXPECT(load("x = = 1") == NULL);
	EXPECT(load("x = 1") == NULL);
	EXPECT(script_load("no such file", false) == NULL);
	file_write("test.lua", "function client_data() end");
	EXPECT(script_load("test.lua", true) == NULL);
	folder_remove(folder);
	puts("ok script_test");
	return 0;
}

#else

int
main(void)
{
	notice_set_level(NOTICE_ANNOUNCE);
	EXPECT(script_load("test.lua", false) == NULL);
	puts("ok script_test");
	return 0;
}

#endif
