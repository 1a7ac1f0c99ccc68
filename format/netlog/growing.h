/*
 * One log that is still written: what has come is looked at by one reader, and shown by a second
 * one once it is known to be whole and asked for. Plain and gzip logs, further parts as they
 * appear; standard input and pipes.
 */
#ifndef FORMAT_NETLOG_GROWING_H
#define FORMAT_NETLOG_GROWING_H

#include "format/netlog/show.h"

struct growing;

/*
 * A log that grows, read from the file `path` on: one of the item's parts, or one that is missing
 * before them. `item` is copied as far as it is needed. Returns NULL with errno.
 */
struct growing *growing_new(const struct logset_item *item, const char *path);
void growing_free(struct growing *growing);

/*
 * Look at one record more, if it is there by now. Returns READER_RECORD and its place on the shared
 * clock, READER_END if nothing whole has come, or READER_CUT, READER_BAD or READER_FAILED
 * (growing_message() then tells why).
 */
enum reader_status growing_look(struct growing *growing, const struct show *show, int64_t *clock);
const char *growing_message(struct growing *growing);

/*
 * Show what the record looked at last decides: itself, and earlier ones that waited for it. To be
 * called before the next is looked at.
 */
void growing_show(struct growing *growing, struct show *show);

/*
 * Take all that is there in the item's parts as shown; what waits for later records, as an
 * unanswered request, goes on waiting. What was deleted is not told: whoever shows what is passed
 * here meets it. Returns as growing_look(); `*end` is set to the offset behind it.
 */
enum reader_status growing_pass(struct growing *growing, struct show *show, uint64_t *end);

/* Has the connection ended, or the stream, or has reading it failed, so that nothing more will
 * come?
 */
bool growing_ended(const struct growing *growing);

/* Was anything of it deleted before it could be read? That was said on stderr. */
bool growing_missed(const struct growing *growing);

#endif
