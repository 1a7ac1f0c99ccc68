/* Names, times and bytes as text that is safe on a terminal. */
#ifndef FORMAT_NETLOG_TEXT_H
#define FORMAT_NETLOG_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * A name from an operand, a directory or the index, made printable by vis(3), very long ones cut.
 * One of a few static buffers used in turn: good for one message.
 */
const char *text_name(const char *name);

/* The text that stands for `byte` in a transcript: itself, or "\r", "\x1b", "\\"; what is no
 * ASCII is "\xHH" too. Newline and tab are themselves. Static, constant. */
const char *text_byte(unsigned char byte);

/* Text as a JSON string with its quotes, in ASCII and without '<': safe on a terminal and in a
 * <script> element. Returns NULL with errno; free it. */
char *text_json(const char *text);

/* Seconds with microseconds as a decimal number: "-0.900000". */
#define TEXT_TIME_MAX 32
char *text_seconds(int64_t nanoseconds, char text[TEXT_TIME_MAX]);

/* Nanoseconds since the epoch as local time: "2026-11-21 03:02:01.123" or with six decimals. */
char *text_wall(int64_t epoch, int decimals, char text[TEXT_TIME_MAX]);

#endif
