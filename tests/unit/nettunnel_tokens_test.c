#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nettunnel/tokens.h"
#include "tests/unit/test.h"

static char path[] = "/tmp/tokens-XXXXXX";

static void
write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	EXPECT(file != NULL && fputs(text, file) != EOF && fclose(file) == 0);
}

static enum tokens_verdict
judge(const struct tokens *tokens, const char *text)
{
	return tokens_judge(tokens, text, strlen(text));
}

static void
test_file(struct tokens *tokens)
{
	write_file("# a remark\n\n one \r\ntwo words\nlast");
	EXPECT(tokens_read(tokens, path) == NULL && tokens->count == 3);
	EXPECT(tokens_has(tokens, "one", 3) && tokens_has(tokens, "two words", 9) &&
	       tokens_has(tokens, "last", 4));
	EXPECT(!tokens_has(tokens, "on", 2) && !tokens_has(tokens, "", 0) &&
	       !tokens_has(tokens, "# a remark", 10));
	write_file("# nothing\n");
	EXPECT(tokens_read(tokens, path) != NULL && tokens->count == 3); /* the old ones stay */
}

static void
test_verdicts(const struct tokens *tokens)
{
	static const char request[] =
	    "GET / HTTP/1.1\r\nHost: x\r\nX-Nettunnel-Auth: two words \r\n\r\n";

	for (size_t size = 0; size < sizeof(request) - 1; size++)
		EXPECT(tokens_judge(tokens, request, size) == TOKENS_MORE);
	EXPECT(judge(tokens, request) == TOKENS_ALLOWED);
	EXPECT(judge(tokens, "PUT /a HTTP/1.0\nx-nettunnel-auth:one\n\nbody") == TOKENS_ALLOWED);
	EXPECT(judge(tokens, "GET / HTTP/1.1\r\n\r\n") == TOKENS_DENIED);
	EXPECT(judge(tokens, "GET / HTTP/1.1\r\nX-Nettunnel-Auth: three\r\n\r\n") == TOKENS_DENIED);
	EXPECT(judge(tokens, "GET / HTTP/1.1\r\nX-Nettunnel-Auth:\r\n\r\n") == TOKENS_DENIED);
	EXPECT(judge(tokens, "GET / HTTP/1.1\r\nX-Nettunnel-Auth : one\r\n\r\n") == TOKENS_DENIED);
	EXPECT(judge(tokens, "get / HTTP/1.1\r\n") == TOKENS_DENIED);
	EXPECT(judge(tokens, "GET /\r\n") == TOKENS_DENIED);
	EXPECT(judge(tokens, "\x16\x03\x01") == TOKENS_DENIED);
	EXPECT(judge(tokens, "PRI * HTTP/2.0\r\n\r\n") == TOKENS_DENIED);
	EXPECT(judge(tokens, "HTTP/1.1") == TOKENS_MORE);
	EXPECT(judge(tokens, "\r\n") == TOKENS_DENIED);
}

static void
test_too_long(const struct tokens *tokens)
{
	static char text[TOKENS_REQUEST_MAX];

	memset(text, 'A', sizeof(text));
	EXPECT(tokens_judge(tokens, text, sizeof(text) - 1) == TOKENS_MORE);
	EXPECT(tokens_judge(tokens, text, sizeof(text)) == TOKENS_DENIED);
}

int
main(void)
{
	struct tokens tokens = {NULL, 0};
	int fd = mkstemp(path);

	EXPECT(fd != -1);
	close(fd);
	test_file(&tokens);
	test_verdicts(&tokens);
	test_too_long(&tokens);
	EXPECT(chmod(path, 0644) == 0 && tokens_read(&tokens, path) != NULL);
	unlink(path);
	tokens_release(&tokens);
	puts("ok nettunnel_tokens_test");
	return 0;
}
