#include "netreplay/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "format/units.h"
#include "net/notice.h"
#include "net/socket.h"
#include "netreplay/words.h"

#define MILLISECOND INT64_C(1000000)
#define PAUSE (20 * MILLISECOND)
#define PATIENCE (5000 * MILLISECOND) /* between TERM and KILL, and for its sockets to go */

struct server {
	pid_t group; /* of the child, which leads it */
	bool ended;  /* the child has, with `status` */
	int status;
	const struct address_list *targets;
};

static int64_t
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 * MILLISECOND + time.tv_nsec;
}

static void
pause_for(int64_t nanoseconds)
{
	const struct timespec time = {.tv_nsec = (long)nanoseconds};

	nanosleep(&time, NULL);
}

/* Does `address` accept a connection within the pause? */
static bool
address_accepts(const struct address *address)
{
	bool connected;
	int fd = socket_connect(address, false, &connected);
	struct pollfd wait = {.fd = fd, .events = POLLOUT};

	if (fd == -1)
		return false;
	if (!connected && poll(&wait, 1, (int)(PAUSE / MILLISECOND)) == 1)
		connected = socket_error(fd) == 0;
	close(fd);
	return connected;
}

/* The first of the addresses that accepts a connection, NULL if none does. */
static const struct address *
accepting(const struct address_list *targets)
{
	for (size_t i = 0; i < targets->count; i++)
		if (address_accepts(&targets->items[i]))
			return &targets->items[i];
	return NULL;
}

/* Collect what has ended in the group. Returns false when none of our children is left in it. */
static bool
server_collect(struct server *server)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-server->group, &status, WNOHANG)) > 0)
		if (pid == server->group) {
			server->ended = true;
			server->status = status;
		}
	return pid == 0;
}

static void
tell_status(enum notice_level level, const char *when, int status)
{
	if (WIFSIGNALED(status))
		notice(level, "server was killed by signal %d (%s) %s", WTERMSIG(status),
		    strsignal(WTERMSIG(status)), when);
	else
		notice(level, "server ended with status %d %s", WEXITSTATUS(status), when);
}

/* Start it with the signals as they are outside of us. Returns 0 or an error number. */
static int
server_spawn(struct server *server, char **words)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error != 0)
		goto release_actions;
	posix_spawnattr_setflags(
	    &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	if (error == 0)
		error =
		    posix_spawnp(&server->group, words[0], &actions, &attributes, words, environ);
	posix_spawnattr_destroy(&attributes);
release_actions:
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* Has the user asked us to end, since this was asked last? The signals are blocked, so nobody else
 * sees to it meanwhile. A terminal that closes may tell so twice: `hangup` is whether it counts. */
static bool
is_interrupted(bool hangup)
{
	const struct timespec none = {0};
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGQUIT);
	if (hangup && sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
		sigaddset(&set, SIGHUP);
	return sigtimedwait(&set, NULL, &none) > 0;
}

/* Wait until it listens. Returns false after telling why it does not. */
static bool
server_await(struct server *server, int64_t patience)
{
	int64_t due = now() + patience;
	char text[ADDRESS_TEXT_MAX], time[UNITS_TEXT_MAX];

	while (accepting(server->targets) == NULL) {
		server_collect(server);
		if (server->ended) {
			tell_status(NOTICE_ERROR,
			    "before it listened (it must stay in the foreground)", server->status);
			return false;
		}
		if (is_interrupted(true)) {
			notice(NOTICE_ERROR, "interrupted while waiting for the server to listen");
			return false;
		}
		if (now() >= due) {
			notice(NOTICE_ERROR, "server does not listen at %s after %s",
			    address_format(&server->targets->items[0], text),
			    units_format_time(patience, time));
			return false;
		}
		pause_for(PAUSE);
	}
	return true;
}

/* Wait for the group to end; false if it has not by then, or if the user waits no longer. */
static bool
server_wait(struct server *server, int64_t due)
{
	int64_t pause = MILLISECOND;

	while (server_collect(server)) {
		if (now() >= due || is_interrupted(false))
			return false;
		pause_for(pause);
		if (pause < PAUSE)
			pause *= 2;
	}
	return true;
}

/* End it, and free it. */
static void
server_end(struct server *server)
{
	const struct address *still;
	char text[ADDRESS_TEXT_MAX];
	int64_t due;

	kill(-server->group, SIGTERM);
	due = now() + PATIENCE;
	if (!server_wait(server, due)) {
		notice(NOTICE_WARNING, "server %s: killed",
		    now() >= due ? "does not end within 5 s of TERM" : "has not ended on TERM yet");
		kill(-server->group, SIGKILL);
		server_wait(server, now() + PATIENCE);
	}
	due = now() + PATIENCE;
	while ((still = accepting(server->targets)) != NULL && now() < due)
		pause_for(PAUSE);
	if (still != NULL)
		notice(NOTICE_WARNING, "server has ended, but something still listens at %s",
		    address_format(still, text));
	free(server);
}

struct server *
server_start(const char *command, const struct address_list *targets, int64_t patience)
{
	const struct address *taken = accepting(targets);
	struct server *server = NULL;
	char text[ADDRESS_TEXT_MAX];
	const char *wrong;
	char **words = NULL;
	int error;

	if (taken != NULL) {
		notice(NOTICE_ERROR,
		    "something listens at %s already, before the server is started",
		    address_format(taken, text));
		return NULL;
	}
	wrong = words_split(command, &words);
	if (wrong != NULL) {
		notice(NOTICE_ERROR, "cannot start server: %s in %s", wrong, command);
		return NULL;
	}
	server = calloc(1, sizeof(*server));
	error = server == NULL ? ENOMEM : 0;
	if (error == 0) {
		server->targets = targets;
		/* what a wrapper leaves behind becomes ours, to be waited for */
		prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L);
		error = server_spawn(server, words);
	}
	if (error != 0) {
		notice(NOTICE_ERROR, "cannot start server: %s: %s", words[0], strerror(error));
		free(server);
		server = NULL;
	} else if (!server_await(server, patience)) {
		server_end(server);
		server = NULL;
	}
	words_free(words);
	return server;
}

void
server_kill(const struct server *server)
{
	if (server != NULL)
		kill(-server->group, SIGKILL);
}

void
server_stop(struct server *server)
{
	if (server == NULL)
		return;
	server_collect(server);
	if (server->ended)
		tell_status(NOTICE_WARNING, "before it was asked to", server->status);
	server_end(server);
}
