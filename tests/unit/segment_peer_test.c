/* Addresses of synthesised connections, and that no two connections have the same. */
#include "format/segment_peer.h"

#include "tests/unit/test.h"

static struct segment_peer
peer(const char *text)
{
	struct segment_peer peer;

	EXPECT(segment_peer_parse(text, &peer) == NULL);
	return peer;
}

static void
test_parse(void)
{
	static const char *const wrong[] = {"", ":", "1.2.3", "1.2.3.4:", "1.2.3.4:0",
	    "1.2.3.4:65536", "1.2.3.4:x", "[::1", "[::1]80", "[::1]:", "[1.2.3.4.5]:1", "name:80",
	    "unix:/run/x", "[]:80", "1.2.3.4:80:90",
	    "[1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111]:1"};
	struct segment_peer found;

	found = peer("1.2.3.4:80");
	EXPECT(found.size == 4 && found.port == 80 && memcmp(found.address, "\1\2\3\4", 4) == 0);
	found = peer("1.2.3.4");
	EXPECT(found.size == 4 && found.port == 0);
	found = peer(":80");
	EXPECT(found.size == 0 && found.port == 80);
	found = peer("[fe80::1%eth0]:65535");
	EXPECT(found.size == 16 && found.port == 65535 && found.address[0] == 0xfe);
	EXPECT(found.address[15] == 1);
	found = peer("[::1]");
	EXPECT(found.size == 16 && found.port == 0);
	found = peer("2001:db8::1:80"); /* no port: all of it is the address */
	EXPECT(found.size == 16 && found.port == 0 && found.address[15] == 0x80);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		EXPECT(segment_peer_parse(wrong[i], &found) != NULL);
}

static void
test_join(void)
{
	static const unsigned char mapped[16] = {
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4};
	struct segment_peer peers[2] = {peer("1.2.3.4:80"), peer("[::1]:90")};

	segment_peers_join(peers);
	EXPECT(peers[0].size == 16 && memcmp(peers[0].address, mapped, 16) == 0);
	EXPECT(peers[0].port == 80);
	EXPECT(
	    memcmp(&peers[1], &(struct segment_peer[]){peer("[::1]:90")}, sizeof(peers[1])) == 0);
	peers[0] = peer("1.2.3.4:80");
	peers[1] = peer("5.6.7.8:90");
	segment_peers_join(peers);
	EXPECT(peers[0].size == 4 && peers[1].size == 4);
}

/* More connections between two addresses than there are ports. */
static void
test_enter(void)
{
	struct segment_peers all = {.slots = NULL};
	bool changed;

	for (unsigned i = 0; i < 150000; i++) {
		struct segment_peer peers[2] = {peer("10.0.0.1:4000"), peer("10.0.0.2:80")};
		EXPECT(segment_peers_enter(&all, peers, &changed) == 0);
		EXPECT(changed == (i > 0));
		EXPECT(peers[0].port >= 1024 && peers[1].port == 80);
		EXPECT(peers[0].address[0] == 10 && peers[0].address[3] < 8);
	}
	EXPECT(all.count == 150000);
	/* the other way round it is the same; and nothing is connected to itself */
	struct segment_peer turned[2] = {peer("10.0.0.2:80"), peer("10.0.0.1:4000")};
	EXPECT(segment_peers_enter(&all, turned, &changed) == 0 && changed);
	struct segment_peer self[2] = {peer("10.0.0.9:80"), peer("10.0.0.9:80")};
	EXPECT(segment_peers_enter(&all, self, &changed) == 0 && changed);
	EXPECT(self[0].port != 80 && self[1].port == 80);
	segment_peers_release(&all);
	all.most = 10;
	for (unsigned i = 0; i < 100; i++) {
		struct segment_peer peers[2] = {peer("10.0.0.1:4000"), peer("10.0.0.2:80")};
		EXPECT(segment_peers_enter(&all, peers, &changed) == 0);
		EXPECT(changed == (i % 10 > 0));
		EXPECT(all.count <= 10);
	}
	segment_peers_release(&all);
}

int
main(void)
{
	test_parse();
	test_join();
	test_enter();
	puts("ok segment_peer_test");
	return 0;
}
