/* What all links and streams of a process share. */
#ifndef NETTUNNEL_TUNNEL_H
#define NETTUNNEL_TUNNEL_H

#include "net/chunk.h"
#include "net/loop.h"
#include "net/metrics.h"

#define TUNNEL_SECOND (INT64_C(1000) * 1000 * 1000)
#define TUNNEL_SPARE_WINDOW ((size_t)128 * 1024 * 1024)

struct tunnel {
	struct loop *loop;
	struct chunk_pool *pool;
	struct metrics *metrics;
	int64_t hold;	     /* nanoseconds for which a lost link, and who waits for one, is kept */
	int64_t ping;	     /* after such a silence the other end is asked whether it is there */
	size_t spare_window; /* bytes by which windows of streams may still grow, all together */
};

#endif
