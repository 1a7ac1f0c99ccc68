#include "nettunnel/auth.h"
#include "tests/unit/test.h"

static struct auth_key key = {(char[]){"a key that both know"}, 20};
static struct auth_key other = {(char[]){"a key that one knows"}, 20};

/* Both ends of a handshake, and its messages. */
struct both {
	struct auth provider, server;
	unsigned char hello[2][AUTH_HELLO_SIZE];
	unsigned char claim[AUTH_CLAIM_SIZE], grant[AUTH_GRANT_SIZE];
};

static const struct auth_claim claimed = {
    .session = "0123456789abcde", .want = AUTH_RESUME, .received = 77, .name = "some host"};

static void
greet(struct both *both)
{
	memset(both, 0, sizeof(*both));
	both->provider.key = both->server.key = &key;
	auth_hello(&both->provider, AUTH_PROVIDER, both->hello[0]);
	auth_hello(&both->server, AUTH_SERVER, both->hello[1]);
	EXPECT(auth_read_hello(&both->server, AUTH_PROVIDER, both->hello[0]) == NULL);
	EXPECT(auth_read_hello(&both->provider, AUTH_SERVER, both->hello[1]) == NULL);
	auth_write_claim(&both->provider, &claimed, both->claim);
}

static void
test_both_know_the_key(void)
{
	struct auth_grant grant = {AUTH_GRANTED, 1234567890123}, got;
	struct auth_claim claim;
	struct both both;

	greet(&both);
	EXPECT(auth_read_claim(&both.server, both.claim, &claim) == NULL);
	EXPECT(memcmp(&claim, &claimed, sizeof(claim)) == 0);
	auth_write_grant(&both.server, &grant, both.grant);
	EXPECT(auth_read_grant(&both.provider, both.grant, &got) == NULL);
	EXPECT(got.status == grant.status && got.received == grant.received);
}

static void
test_every_bit_counts(void)
{
	struct auth_grant grant = {AUTH_GRANTED, 5}, got;
	struct auth_claim claim;
	struct both both;

	greet(&both);
	for (size_t bit = 0; bit < AUTH_CLAIM_SIZE * 8; bit++) {
		both.claim[bit / 8] ^= (unsigned char)(1 << bit % 8);
		EXPECT(auth_read_claim(&both.server, both.claim, &claim) != NULL);
		both.claim[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	EXPECT(auth_read_claim(&both.server, both.claim, &claim) == NULL);
	auth_write_grant(&both.server, &grant, both.grant);
	for (size_t bit = 0; bit < AUTH_GRANT_SIZE * 8; bit++) {
		both.grant[bit / 8] ^= (unsigned char)(1 << bit % 8);
		EXPECT(auth_read_grant(&both.provider, both.grant, &got) != NULL);
		both.grant[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
}

static void
test_wrong_key(void)
{
	struct auth_grant grant = {AUTH_GRANTED, 5}, got;
	struct auth_claim claim;
	struct both both;

	greet(&both);
	both.server.key = &other;
	EXPECT(auth_read_claim(&both.server, both.claim, &claim) != NULL);
	auth_write_grant(&both.server, &grant, both.grant);
	EXPECT(auth_read_grant(&both.provider, both.grant, &got) != NULL);
}

static void
test_nonces_are_fresh_and_count(void)
{
	struct auth_claim claim;
	struct both first, second;

	greet(&first);
	greet(&second);
	EXPECT(memcmp(first.hello, second.hello, sizeof(first.hello)) != 0);
	EXPECT(auth_read_claim(&second.server, first.claim, &claim) != NULL); /* replayed */
	/* the provider's nonce replayed too, the server's is its own */
	EXPECT(auth_read_hello(&second.server, AUTH_PROVIDER, first.hello[0]) == NULL);
	EXPECT(auth_read_claim(&second.server, first.claim, &claim) != NULL);
}

static void
test_roles_cannot_be_swapped(void)
{
	struct auth_grant grant;
	struct auth_claim claim;
	struct both both;
	unsigned char mixed[AUTH_GRANT_SIZE];

	greet(&both);
	EXPECT(auth_read_claim(&both.server, both.claim, &claim) == NULL);
	memset(mixed, 0, sizeof(mixed));
	memcpy(mixed + AUTH_GRANT_BODY, both.claim + AUTH_CLAIM_BODY, HMAC_SIZE);
	EXPECT(auth_read_grant(&both.provider, mixed, &grant) != NULL);
}

static void
test_hellos_that_are_none(void)
{
	struct auth auth = {.key = &key};
	unsigned char hello[AUTH_HELLO_SIZE];

	auth_hello(&auth, AUTH_PROVIDER, hello);
	hello[7] = 2;
	EXPECT(strstr(auth_read_hello(&auth, AUTH_PROVIDER, hello), "version") != NULL);
	hello[0] = 'G';
	EXPECT(strstr(auth_read_hello(&auth, AUTH_PROVIDER, hello), "protocol") != NULL);
}

static void
test_name_of_full_length(void)
{
	struct auth_claim long_name = claimed, got;
	struct both both;

	greet(&both);
	memset(long_name.name, 'n', AUTH_NAME_SIZE);
	auth_write_claim(&both.provider, &long_name, both.claim);
	EXPECT(auth_read_claim(&both.server, both.claim, &got) == NULL);
	EXPECT(strlen(got.name) == AUTH_NAME_SIZE && strcmp(got.name, long_name.name) == 0);
}

int
main(void)
{
	test_both_know_the_key();
	test_every_bit_counts();
	test_wrong_key();
	test_nonces_are_fresh_and_count();
	test_roles_cannot_be_swapped();
	test_hellos_that_are_none();
	test_name_of_full_length();
	puts("ok nettunnel_auth_test");
	return 0;
}
