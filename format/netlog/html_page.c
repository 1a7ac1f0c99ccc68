#include "format/netlog/html_page.h"

#include <sha2.h>
#include <stdio.h>
#include <string.h>

#include "format/base64.h"

#define MARK_RECORDING "@recording@"

/* What the Content-Security-Policy knows a <style> or <script> element by. */
static void
hash_put(const unsigned char *text, size_t size)
{
	struct base64 state = {.count = 0};
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA2_CTX context;

	SHA256Init(&context);
	SHA256Update(&context, text, size);
	SHA256Final(digest, &context);
	fputs("sha256-", stdout);
	base64_put(&state, digest, sizeof(digest), stdout);
	base64_finish(&state, stdout);
}

static void
text_put(const unsigned char *text, size_t size)
{
	fwrite(text, 1, size, stdout);
}

/* What stands for a mark in page.html. */
static const struct mark {
	const char *name;
	void (*put)(const unsigned char *text, size_t size);
	const unsigned char *text;
	const size_t *size;
} marks[] = {
    {"@style-hash@", hash_put, html_style, &html_style_size},
    {"@script-hash@", hash_put, html_script, &html_script_size},
    {"@style@", text_put, html_style, &html_style_size},
    {"@script@", text_put, html_script, &html_script_size},
};

/* The mark at `at`, or NULL. */
static const struct mark *
mark_find(const unsigned char *at, size_t size)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		size_t length = strlen(marks[i].name);
		if (length <= size && memcmp(at, marks[i].name, length) == 0)
			return &marks[i];
	}
	return NULL;
}

static void
markup_put(const unsigned char *at, const unsigned char *end)
{
	while (at < end) {
		const struct mark *mark = mark_find(at, (size_t)(end - at));
		if (mark == NULL) {
			putchar(*at++);
			continue;
		}
		mark->put(mark->text, *mark->size);
		at += strlen(mark->name);
	}
}

/* Where page.html is parted: at the mark of the recording. */
static const unsigned char *
markup_middle(void)
{
	return memmem(html_markup, html_markup_size, MARK_RECORDING, strlen(MARK_RECORDING));
}

void
html_page_begin(void)
{
	markup_put(html_markup, markup_middle());
}

void
html_page_end(void)
{
	markup_put(markup_middle() + strlen(MARK_RECORDING), html_markup + html_markup_size);
}
