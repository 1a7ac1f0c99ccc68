/* What the files of the alignment share. Private to them. */
#ifndef FORMAT_ALIGN_PRIVATE_H
#define FORMAT_ALIGN_PRIVATE_H

#include "format/align.h"

#define ALIGN_WINDOW 65536 /* how far is looked ahead for where both go on alike */
#define ALIGN_AGREE 16	   /* bytes, and mask matches, that must be alike there */

/* The bytes of one stream that are held. All places are offsets in the stream. */
struct align_bytes {
	unsigned char *data;
	size_t size, capacity;
	uint64_t base;	 /* of data[0] */
	uint64_t at;	 /* all before it is matched or told */
	uint64_t anchor; /* at or before `at`: no mask's match that is still to be found begins
			    before it */
	uint64_t due;	 /* it is of no use to look again before so much has come */
	bool ended;
};

enum align_state {
	ALIGN_EQUAL, /* no byte behind `at` is in both streams */
	ALIGN_TOKEN, /* the bytes at `at` differ; masks are looked for that cover them */
	ALIGN_DIFFER /* no mask does; the place is looked for where both go on alike */
};

/* A match of a mask. */
struct align_token {
	size_t mask;
	uint64_t begin, end;
};

/* A difference larger than the window: what is already dropped of it. */
struct align_open {
	uint64_t offset[2], size[2];
	unsigned char bytes[2][ALIGN_SHOW], before[2][ALIGN_CONTEXT];
	size_t shown[2], before_size[2];
};

struct align {
	struct align_config config;
	bool in_lines; /* no mask's match holds a newline */
	bool open_end; /* more may follow than was recorded */
	enum align_state state;
	struct align_bytes streams[2];
	uint64_t differences;
	uint64_t scan_due; /* recorded offset where the anchors are moved on by a search */
	size_t lookahead;  /* recorded bytes that are wanted */
	uint64_t credit;   /* bytes that may be searched for masks, earned by bytes fed */
	bool token_known;  /* in ALIGN_TOKEN: `token` is the recorded stream's first one */
	struct align_token token;
	bool live_known; /* `live` is what meets it so far, its end not certain */
	struct align_token live;
	uint64_t live_told; /* the end of `live` when it was told */
	uint64_t tentative; /* recorded offset reached if `live` ends as it stands; 0: none */
	uint64_t target, asked_live; /* of the last align_reached(): and live bytes there were */
	uint64_t since[2];	     /* where bytes of the current target begin */
	struct align_open *open;     /* or NULL */
};

static inline uint64_t
align_bytes_end(const struct align_bytes *bytes)
{
	return bytes->base + bytes->size;
}

/* How many bytes are held from `at` on. */
static inline size_t
align_bytes_ahead(const struct align_bytes *bytes)
{
	return (size_t)(align_bytes_end(bytes) - bytes->at);
}

static inline const unsigned char *
align_bytes_from(const struct align_bytes *bytes, uint64_t offset)
{
	return bytes->data + (offset - bytes->base);
}

/* Begin a search of the stream for masks in [from, before). Returns -1 with errno. */
int align_scan_init(struct mask_scan *scan, const struct align *align, enum align_stream stream,
    uint64_t from, uint64_t before);

/* How many bytes are alike. */
size_t align_common(const unsigned char *one, const unsigned char *other, size_t size);

/* What is at the first bytes that differ. */
enum align_verdict {
	ALIGN_PASSED,  /* it is dealt with; `at` has moved in both streams */
	ALIGN_REFUSED, /* no mask makes it equal */
	ALIGN_WAITING, /* more bytes are needed */
	ALIGN_NO_MEMORY
};

/* See whether masks make it equal. */
enum align_verdict align_tokens(struct align *align);

/* Tell a mask met in both, unless its bytes are the same. */
void align_masked_tell(
    struct align *align, const struct align_token *recorded, const struct align_token *live);

/* Tell the live match that stands at the end of what has come. */
void align_token_tell(struct align *align);

/* Tell the match at the end of the live bytes, which are so far all alike, if a recorded one goes
 * on there. */
void align_token_unfinished(struct align *align);

/* Find where both go on alike, and tell what differs. */
enum align_verdict align_resync(struct align *align);

/* Count and tell a difference that ends at these places behind `at`, `from` being where it begins;
 * of an open one both are where its rest is. */
void align_tell(struct align *align, const uint64_t from[2], const uint64_t until[2]);

/* Add that many bytes behind `at` to the open difference, beginning one if there is none, and pass
 * them. Returns -1 with errno. */
int align_swallow(struct align *align, enum align_stream stream, size_t size);

#endif
