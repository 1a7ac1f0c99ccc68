/* The Internet checksum (RFC 1071), summed in wide words. */
#ifndef FORMAT_CHECKSUM_H
#define FORMAT_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Add `size` bytes at `data` to a running sum, 0 at first. Only the last piece added may be of odd
 * length. */
uint64_t checksum_add(uint64_t sum, const void *data, size_t size);

/* What is stored in a header for that sum, in network order as it stands: copy it with memcpy(3). A
 * sum over data that hold their checksum gives 0. */
uint16_t checksum_fold(uint64_t sum);

#endif
