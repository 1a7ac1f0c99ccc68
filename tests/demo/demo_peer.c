/*
 * Both ends of the demonstration: a key-value server that speaks a line protocol, and its client.
 *
 *   demo_peer serve            listens on a port of 127.0.0.1 that the kernel chooses, and prints
 * it demo_peer talk PORT        a short session: SET, GET, an unknown key, QUIT demo_peer blob PORT
 * a session with binary bytes demo_peer upload PORT      sends, ends its side (half-close), and
 * then gets the answer
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 256
#define KEYS_MAX 16
#define BLOB_SIZE 48

static struct {
	char name[LINE_SIZE], value[LINE_SIZE];
} table[KEYS_MAX];
static size_t table_count;

static char *
lookup(const char *name)
{
	for (size_t i = 0; i < table_count; i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].value;
	return NULL;
}

static void
store(const char *name, const char *value)
{
	char *place = lookup(name);

	if (place == NULL && table_count < KEYS_MAX) {
		snprintf(table[table_count].name, LINE_SIZE, "%s", name);
		place = table[table_count++].value;
	}
	if (place != NULL)
		snprintf(place, LINE_SIZE, "%s", value);
}

/* The rest of the stream is data; the answer comes when it has ended. */
static void
receive_upload(FILE *in, FILE *out)
{
	size_t bytes = 0;

	while (getc(in) != EOF)
		bytes++;
	fprintf(out, "STORED %zu bytes\n", bytes);
}

static void
send_blob(FILE *out)
{
	fprintf(out, "BLOB %d\n", BLOB_SIZE);
	for (int i = 0; i < BLOB_SIZE; i++)
		putc(i * 37 % 256, out);
}

/* Answer one line; returns whether more are expected. */
static int
answer(char *line, FILE *in, FILE *out)
{
	const char *verb = strtok(line, " \n"), *name = strtok(NULL, " \n");
	const char *value = strtok(NULL, "\n");

	if (verb == NULL || strcmp(verb, "QUIT") == 0) {
		fputs("BYE\n", out);
		return 0;
	}
	if (strcmp(verb, "SET") == 0 && name != NULL && value != NULL) {
		store(name, value);
		fputs("OK\n", out);
	} else if (strcmp(verb, "GET") == 0 && name != NULL) {
		const char *found = lookup(name);
		fprintf(out, found != NULL ? "VALUE %s\n" : "NONE\n", found);
	} else if (strcmp(verb, "BLOB") == 0)
		send_blob(out);
	else if (strcmp(verb, "UPLOAD") == 0)
		receive_upload(in, out);
	else
		fputs("ERROR\n", out);
	return 1;
}

static void
open_streams(int fd, FILE **in, FILE **out)
{
	*in = fdopen(fd, "r");
	*out = fdopen(dup(fd), "w");
	if (*in == NULL || *out == NULL)
		err(1, "fdopen");
}

static void
serve(void)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	char line[LINE_SIZE];

	if (listener == -1 || bind(listener, (struct sockaddr *)&address, length) == -1 ||
	    listen(listener, 16) == -1 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) == -1)
		err(1, "listen");
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		FILE *in, *out;

		if (fd == -1)
			err(1, "accept");
		open_streams(fd, &in, &out);
		while (fgets(line, sizeof(line), in) != NULL && answer(line, in, out))
			fflush(out);
		fclose(out);
		fclose(in);
	}
}

static int
connect_to(const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1)
		err(1, "connect to port %s", port);
	return fd;
}

/* Send a line, and see that the answer is the one expected. */
static void
ask(FILE *in, FILE *out, const char *request, const char *expected)
{
	const struct timespec thought = {.tv_nsec = 20 * 1000 * 1000};
	char line[LINE_SIZE];

	nanosleep(&thought, NULL);
	fputs(request, out);
	fflush(out);
	if (fgets(line, sizeof(line), in) == NULL)
		errx(1, "no answer to %s", request);
	if (strcmp(line, expected) != 0)
		errx(1, "wrong answer to %s: %s", request, line);
}

static void
talk(FILE *in, FILE *out)
{
	ask(in, out, "SET colour green\n", "OK\n");
	ask(in, out, "GET colour\n", "VALUE green\n");
	ask(in, out, "GET shape\n", "NONE\n");
	ask(in, out, "QUIT\n", "BYE\n");
}

static void
blob(FILE *in, FILE *out)
{
	ask(in, out, "BLOB\n", "BLOB 48\n");
	for (int i = 0; i < BLOB_SIZE; i++)
		if (getc(in) != i * 37 % 256)
			errx(1, "byte %d of the blob is wrong", i);
	ask(in, out, "QUIT\n", "BYE\n");
}

static void
upload(FILE *in, FILE *out)
{
	char line[LINE_SIZE];

	fputs("UPLOAD\n", out);
	for (int i = 0; i < 20000; i++)
		fputs("0123456789", out);
	fflush(out);
	shutdown(fileno(out), SHUT_WR);
	if (fgets(line, sizeof(line), in) == NULL || strcmp(line, "STORED 200000 bytes\n") != 0)
		errx(1, "the upload failed");
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(FILE *in, FILE *out);
	} sessions[] = {{"talk", talk}, {"blob", blob}, {"upload", upload}};
	FILE *in, *out;

	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		serve();
	for (size_t i = 0; argc == 3 && i < sizeof(sessions) / sizeof(sessions[0]); i++) {
		if (strcmp(argv[1], sessions[i].name) != 0)
			continue;
		open_streams(connect_to(argv[2]), &in, &out);
		sessions[i].run(in, out);
		if (getc(in) != EOF)
			errx(1, "more than expected from the server");
		return 0;
	}
	errx(2, "usage: demo_peer serve | talk PORT | blob PORT | upload PORT");
}
