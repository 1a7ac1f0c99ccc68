/* What is wrong with how a command was called. */
#ifndef FORMAT_COMPLAINT_H
#define FORMAT_COMPLAINT_H

#include <getopt.h>

#define COMPLAINT_MAX 256

/*
 * What is wrong with what getopt_long(3) has just refused, with opterr 0: `mark` is '?' (unknown,
 * or it takes no value) or ':' (a value is missing). `options` has a row for each option, those of
 * a letter too. Returns `text`; what the user wrote stands in it as it is.
 */
char *option_complaint(
    int mark, char *const *argv, const struct option *options, char text[COMPLAINT_MAX]);

#endif
