/* Where a recorded offset is among normalised bytes. */
#include "net/notice.h"
#include "netreplay/normal.h"
#include "tests/unit/files.h"

static void
test_without_script(void)
{
	struct normal normal = {0};
	const unsigned char *data = (const unsigned char *)"abc";
	size_t size = 3;

	normal_init(&normal, NULL, NULL);
	EXPECT(normal_take(&normal, ALIGN_RECORDED, &data, &size) == 0 && size == 3);
	EXPECT(normal_send(&normal, &data, &size) == 0 && size == 3);
	EXPECT(normal_place(&normal, 12345) == 12345);
	normal_release(&normal);
}

#ifdef HAVE_LUA

static void
take(struct normal *normal, enum align_stream stream, const char *text, const char *expected)
{
	const unsigned char *data = (const unsigned char *)text;
	size_t size = strlen(text);

	EXPECT(normal_take(normal, stream, &data, &size) == 0);
	EXPECT(size == strlen(expected) && memcmp(data, expected, size) == 0);
}

static void
test_places(void)
{
	struct conn_info info = {.id = 1};
	struct normal normal = {0};
	struct script *script;

	file_write("n.lua", "function normalise(data, conn)\n"
			    "  assert(conn.stream == 'recorded' or conn.stream == 'live')\n"
			    "  return (data:gsub('x', ''))\n"
			    "end");
	script = script_load("n.lua", false);
	EXPECT(script != NULL);
	normal_init(&normal, script, &info);
	EXPECT(normal_place(&normal, 10) == 10); /* nothing is known yet */
	take(&normal, ALIGN_RECORDED, "axxb", "ab");
	take(&normal, ALIGN_LIVE, "xaxxxb", "ab");
	take(&normal, ALIGN_RECORDED, "xxx", "");
	take(&normal, ALIGN_RECORDED, "cd", "cd");
	EXPECT(normal_place(&normal, 0) == 0);
	EXPECT(normal_place(&normal, 4) == 2);
	EXPECT(normal_place(&normal, 7) == 2);
	EXPECT(normal_place(&normal, 9) == 4);
	EXPECT(normal_place(&normal, 19) == 14);
	for (int i = 0; i < 1000; i++)
		take(&normal, ALIGN_RECORDED, "ex", "e");
	EXPECT(normal_place(&normal, 9 + 2 * 700) == 4 + 700);
	normal_release(&normal);
	script_free(script);
}

#endif

int
main(void)
{
	char folder[] = "/tmp/normal-test-XXXXXX";

	notice_set_level(NOTICE_ANNOUNCE);
	folder_enter(folder);
	test_without_script();
#ifdef HAVE_LUA
	test_places();
#endif
	folder_remove(folder);
	puts("ok netreplay_normal_test");
	return 0;
}
