/* Two logs compared: what either side sent, and how it ended. */
#ifndef FORMAT_NETLOG_DIFFERENCE_H
#define FORMAT_NETLOG_DIFFERENCE_H

#include "format/logset.h"
#include "format/report.h"

/* What is compared, and where it is told. */
struct difference_config {
	struct mask_set *masks; /* their matches in the first log are counted */
	bool sizes_only;
	struct report *report; /* or NULL */
	struct histogram *responses[2];
};

/* What was found. */
struct difference_result {
	enum report_result result; /* REPORT_FAILED: a log is damaged or cannot be read */
	uint64_t compared;	   /* bytes of the first log */
	uint64_t differences;
};

/* Compare, and tell the report. Returns 0, or -1 with errno. */
int difference_find(const struct difference_config *config, const struct logset_item *first,
    const struct logset_item *second, struct difference_result *result);

#endif
