/* The logs that an import writes: those of any number of connections at a time, with few
 * descriptors and bounded memory, and their index. */
#ifndef FORMAT_NETLOG_IMPORT_LOG_H
#define FORMAT_NETLOG_IMPORT_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "format/index.h"
#include "format/record.h"

struct import_root;
struct import_log; /* one log being written */

/* Open the logroot; says why if it cannot. Returns NULL then. */
struct import_root *import_root_open(const char *root, bool gzip);

/* Write out and close; all logs must have been closed. Says what fails, and returns
 * an exit status: STATUS_OK if nothing ever failed. */
int import_root_close(struct import_root *root);

/* Did something fail? It was said, and nothing more is written. */
bool import_root_failed(struct import_root *root);

/* The logs that are opened from now on are another run's: their times have another zero. */
void import_root_new_run(struct import_root *root);

/* Create the next log, and enter it in the index: number, name and run are filled in here, the rest
 * of `entry` by the caller. Returns NULL after a message. */
struct import_log *import_log_open(struct import_root *root, struct index_entry *entry);

/* Append a record. Data that follows data of the same side in the same microsecond joins it. */
void import_log_append(struct import_root *root, struct import_log *log,
    const struct record *record, const uint8_t *data);

/* Its name, for messages: good until the next call. */
const char *import_log_name(struct import_root *root, const struct import_log *log);

/* The last record is written: let go of descriptor and memory. */
void import_log_finish(struct import_root *root, struct import_log *log);

/* Finish it if that was not done, enter its end in the index, and forget it. */
void import_log_close(struct import_root *root, struct import_log *log, struct index_entry *entry);

#endif
