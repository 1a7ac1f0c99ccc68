/* Latencies counted in fixed memory, HdrHistogram fashion: relative error below 1%, 1 us to a day.
 */
#ifndef FORMAT_HISTOGRAM_H
#define FORMAT_HISTOGRAM_H

#include <stdint.h>

struct histogram; /* some 30 KB, whatever is counted */

struct histogram *histogram_new(void); /* NULL with errno */
void histogram_free(struct histogram *histogram);
void histogram_add(struct histogram *histogram, int64_t nanoseconds); /* below 0 counts as 0 */
void histogram_merge(struct histogram *into, const struct histogram *from);
uint64_t histogram_count(const struct histogram *histogram);
int64_t histogram_min(const struct histogram *histogram); /* exact; 0 if nothing was counted */
int64_t histogram_max(const struct histogram *histogram); /* exact */
int64_t histogram_mean(const struct histogram *histogram);
/* The value that `percent` of those counted do not exceed (nearest rank), in nanoseconds; 0 if
 * nothing was counted. */
int64_t histogram_percentile(const struct histogram *histogram, double percent);

/* Call `row` for buckets of powers of two from the least to the greatest value counted, empty ones
 * between them included: [from, to) and how many. */
void histogram_rows(const struct histogram *histogram,
    void (*row)(void *context, int64_t from, int64_t to, uint64_t count), void *context);

#endif
