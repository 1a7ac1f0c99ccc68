/* The server under test: started, waited for, ended with all that it has started. The server is
 * this program itself. */
#include "netreplay/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test.h"

#define MILLISECOND INT64_C(1000000)

static char self[512];
static char log_path[] = "/tmp/netreplay_server_test.XXXXXX";

static int
listen_at(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	EXPECT(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	EXPECT(listen(fd, 16) == 0);
	return fd;
}

static uint16_t
free_port(void)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	int fd = listen_at(0);

	EXPECT(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
	close(fd);
	return ntohs(address.sin_port);
}

/* Be the server: end with status 3 if the signals are not as they should be. */
static int
serve(uint16_t port, unsigned delay)
{
	struct sigaction action;
	sigset_t mask;

	EXPECT(
	    sigprocmask(SIG_SETMASK, NULL, &mask) == 0 && sigaction(SIGUSR1, NULL, &action) == 0);
	if (sigismember(&mask, SIGTERM) != 0 || action.sa_handler != SIG_DFL)
		return 3;
	usleep(delay);
	listen_at(port);
	puts("listening");
	fflush(stdout);
	for (;;)
		pause();
}

static struct address_list
target_of(uint16_t port)
{
	struct address_list list;
	struct address_name name;
	char text[16];

	snprintf(text, sizeof(text), "%u", port);
	EXPECT(address_join("127.0.0.1", text, &name) == NULL);
	EXPECT(address_resolve(&name, AF_UNSPEC, false, &list) == NULL);
	return list;
}

/* Start `format` with this program and the port in it; what is said goes to the log. */
static struct server *
start(const char *format, const struct address_list *target, int64_t patience)
{
	char command[1200];
	struct server *server;
	int kept = dup(STDERR_FILENO);
	FILE *log = fopen(log_path, "we");

	EXPECT(kept != -1 && log != NULL);
	snprintf(command, sizeof(command), format, self, target->items[0].port);
	dup2(fileno(log), STDERR_FILENO);
	server = server_start(command, target, patience);
	dup2(kept, STDERR_FILENO);
	close(kept);
	fclose(log);
	return server;
}

static void
expect_said(const char *text)
{
	char said[2000] = "";
	FILE *log = fopen(log_path, "re");

	EXPECT(log != NULL);
	said[fread(said, 1, sizeof(said) - 1, log)] = '\0';
	fclose(log);
	if (strstr(said, text) == NULL)
		fprintf(stderr, "said: %s", said);
	EXPECT(strstr(said, text) != NULL);
}

static void
test_started_and_ended(void)
{
	struct address_list target = target_of(free_port());
	struct server *server = start("'%s' serve %u 60000", &target, 5000 * MILLISECOND);

	EXPECT(server != NULL);
	expect_said("listening"); /* its stdout is our stderr */
	server_stop(server);
	EXPECT(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
	close(listen_at(target.items[0].port)); /* it can be bound */
	server = start("'%s' serve %u 0", &target, 5000 * MILLISECOND);
	EXPECT(server != NULL);
	/* a second one finds the address taken */
	EXPECT(start("'%s' serve %u 0", &target, 5000 * MILLISECOND) == NULL);
	expect_said("listens at 127.0.0.1");
	server_stop(server);
	address_list_release(&target);
	server_stop(NULL);
}

/* A shell that starts the server and waits: both are ended, and waited for. */
static void
test_wrapper(void)
{
	struct address_list target = target_of(free_port());
	struct server *server =
	    start("sh -c '\"%s\" serve %u 0 & wait'", &target, 5000 * MILLISECOND);

	EXPECT(server != NULL);
	server_stop(server);
	EXPECT(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
	close(listen_at(target.items[0].port));
	address_list_release(&target);
}

static void
test_failures(void)
{
	struct address_list target = target_of(free_port());

	EXPECT(start("sh -c 'exit 7' %s %u", &target, 5000 * MILLISECOND) == NULL);
	expect_said("server ended with status 7 before it listened");
	EXPECT(start("sh -c 'kill -9 $$' %s %u", &target, 5000 * MILLISECOND) == NULL);
	expect_said("server was killed by signal 9");
	EXPECT(start("sleep 100", &target, 100 * MILLISECOND) == NULL);
	expect_said("server does not listen at 127.0.0.1");
	EXPECT(start("/no/such/program %s %u", &target, 100 * MILLISECOND) == NULL);
	expect_said("cannot start server: /no/such/program: No such file or directory");
	EXPECT(start("sh -c 'exit", &target, 100 * MILLISECOND) == NULL);
	expect_said("quotes are not closed");
	EXPECT(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
	address_list_release(&target);
}

int
main(int argc, char **argv)
{
	sigset_t mask;
	ssize_t size;
	int fd;

	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		return serve((uint16_t)atoi(argv[2]), (unsigned)atoi(argv[3]));
	size = readlink("/proc/self/exe", self, sizeof(self) - 1);
	fd = mkstemp(log_path);
	EXPECT(size > 0 && fd != -1);
	close(fd);
	/* as they are in a program that replays */
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGUSR1, SIG_IGN);
	test_started_and_ended();
	test_wrapper();
	test_failures();
	unlink(log_path);
	puts("ok netreplay_server_test");
	return 0;
}
