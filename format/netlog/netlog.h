/* What the subcommands of netlog share: the table's row, common options, the way to the logs. */
#ifndef FORMAT_NETLOG_NETLOG_H
#define FORMAT_NETLOG_NETLOG_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/logset.h"

/* Exit statuses; of several the greatest is the command's. */
enum status {
	STATUS_OK = 0,
	STATUS_NO = 1,	 /* a log is damaged */
	STATUS_ERROR = 2 /* usage, or the environment */
};

struct invocation;

/* One subcommand: a row of the table in netlog.c. */
struct command {
	const char *name;
	const char *summary; /* a few words, for `netlog --help` */
	const char *usage;   /* its synopsis behind "netlog name " */
	const char *about;   /* what it does, in sentences, for its own --help */
	const char *options; /* its own, a line each */
	int (*run)(struct invocation *invocation);
};

/* One run of a subcommand. */
struct invocation {
	const struct command *command;
	int argc;
	char **argv; /* argv[0] is the program, the rest what stands around the subcommand's name */
	const char *recording; /* --recording, or NULL */
	int verbose;	       /* how often -v was given */
	bool quiet;
	bool options_begun;
	int status; /* what to return when option_next() says so */
};

/* A command's options begin with its own letters; these are common to all. */
#define COMMON_LETTERS "hVvq"
enum { OPTION_RECORDING = 256, OPTION_OWN }; /* values of long options without a letter */
#define COMMON_HELP                                                                                \
	"  -v, --verbose                say more\n"                                                \
	"  -q, --quiet                  say less\n"                                                \
	"  -h, --help                   print this help\n"                                         \
	"  -V, --version                print the version\n"
#define COMMON_OPTIONS                                                                             \
	{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'},                     \
	    {"verbose", no_argument, NULL, 'v'}, {"quiet", no_argument, NULL, 'q'},                \
	    {"recording", required_argument, NULL, OPTION_RECORDING},                              \
	{                                                                                          \
		NULL, 0, NULL, 0                                                                   \
	}

/*
 * The next of the command's own options, as getopt_long(3); common ones are dealt with here.
 * Returns -1 after the last one, '?' when the run is over (invocation->status tells how: help was
 * printed, or a wrong option reported).
 */
int option_next(struct invocation *invocation, const char *letters, const struct option *options);

/* The time of an option's argument, in nanoseconds. Returns 0, or -1 after a message. */
int option_time(struct invocation *invocation, const char *name, const char *text, int64_t *time);

/* "c" or "s" as an enum side. Returns 0, or -1 after a message. */
int option_side(struct invocation *invocation, const char *text, int *side);

/* Report a wrong use, with the way to the help; returns STATUS_ERROR. */
int usage_error(const struct invocation *invocation, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Collect the logs of the operands behind the options, at least one. Returns 0, or -1 after a
 * message; release `set` in either case. */
int operands_collect(struct invocation *invocation, struct logset *set);

/* Have logs that can be read only once copied, for commands that read twice. Returns 0, or -1 after
 * a message. */
int operands_spool(struct logset *set);

/* Open a log; says why if it cannot. */
struct reader *log_open(const struct logset_item *item);

/*
 * What a status <= 0 of a reader means for the exit status (`error` is reader_error()): a
 * log that is cut or holds something else, damaged gzip data included, is STATUS_NO.
 */
int log_status(enum reader_status status, int error);

/* The same of a reader of `item` that told `status`; says the reader's message on stderr. */
int log_finished(const struct logset_item *item, struct reader *reader, enum reader_status status);

/* The greater of two exit statuses. */
int status_worse(int one, int other);

/* Write to standard output failed: no use to go on. The cause is kept for stdout_finish(). */
bool stdout_broken(void);

/* Write out what is buffered, before a wait; a failure shows in stdout_broken(). */
void stdout_flush(void);

/* Write out what is buffered, at the end. Returns STATUS_OK, or STATUS_ERROR after a message (none
 * for EPIPE).
 */
int stdout_finish(void);

/* The rows, each in the file of its name. */
extern const struct command list_command;
extern const struct command show_command;
extern const struct command check_command;
extern const struct command diff_command;
extern const struct command stat_command;
extern const struct command pcap_command;
extern const struct command json_command;
extern const struct command html_command;
extern const struct command cut_command;
extern const struct command merge_command;
extern const struct command redact_command;
extern const struct command import_command;

#endif
