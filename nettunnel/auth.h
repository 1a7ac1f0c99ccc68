/*
 * How server and provider prove to each other that they know the key, before any frame: four
 * messages of fixed size. See docs/tunnel-protocol.md.
 *
 *   provider -> server   HELLO   magic with version, nonce
 *   server -> provider   HELLO   the same, its own nonce
 *   provider -> server   CLAIM   session, what it wants, how far it has come, name; code
 *   server -> provider   GRANT   what it gets, how far the server has come; code
 *
 * A code is the HMAC-SHA256 under the key of role, both nonces and all that its sender has said
 * and been told, so that none can be replayed, reflected, or given another session or offset.
 */
#ifndef NETTUNNEL_AUTH_H
#define NETTUNNEL_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nettunnel/hmac.h"

#define AUTH_MAGIC "nettunl\1" /* the last byte is the version of the protocol */
#define AUTH_MAGIC_SIZE 8
#define AUTH_NONCE_SIZE 32
#define AUTH_SESSION_SIZE 16
#define AUTH_NAME_SIZE 64
#define AUTH_HELLO_SIZE (AUTH_MAGIC_SIZE + AUTH_NONCE_SIZE)
#define AUTH_CLAIM_BODY (AUTH_SESSION_SIZE + 1 + 8 + AUTH_NAME_SIZE)
#define AUTH_CLAIM_SIZE (AUTH_CLAIM_BODY + HMAC_SIZE)
#define AUTH_GRANT_BODY (1 + 8)
#define AUTH_GRANT_SIZE (AUTH_GRANT_BODY + HMAC_SIZE)
#define AUTH_SIZE_MAX AUTH_CLAIM_SIZE

struct auth_key {
	char *bytes; /* secret_free() */
	size_t size;
};

enum auth_want {
	AUTH_NEW = 1, /* a session that begins */
	AUTH_RESUME   /* one whose connection was lost */
};

enum auth_status {
	AUTH_GRANTED = 1,
	AUTH_UNKNOWN /* no such session (any more): begin a new one */
};

/* What a provider claims. */
struct auth_claim {
	unsigned char session[AUTH_SESSION_SIZE]; /* random, chosen by the provider */
	enum auth_want want;
	uint64_t received;	       /* frames of the sequence that the provider has got */
	char name[AUTH_NAME_SIZE + 1]; /* the same for a provider that was started again */
};

/* What it is granted. */
struct auth_grant {
	enum auth_status status;
	uint64_t received; /* frames of the sequence that the server has got */
};

/* One handshake, as both ends know it; all zeros at first. */
struct auth {
	const struct auth_key *key;
	unsigned char nonces[2][AUTH_NONCE_SIZE]; /* the provider's, the server's */
	unsigned char claim[AUTH_CLAIM_BODY];	  /* as it was sent */
};

enum auth_role { AUTH_PROVIDER, AUTH_SERVER };

/* Our own hello, with a fresh nonce. */
void auth_hello(struct auth *auth, enum auth_role role, unsigned char out[AUTH_HELLO_SIZE]);

/* The other's hello; `role` is the other's. NULL, or why it is none. */
const char *auth_read_hello(
    struct auth *auth, enum auth_role role, const unsigned char in[AUTH_HELLO_SIZE]);

void auth_write_claim(
    struct auth *auth, const struct auth_claim *claim, unsigned char out[AUTH_CLAIM_SIZE]);

/* NULL, or why the provider cannot be believed. */
const char *auth_read_claim(
    struct auth *auth, const unsigned char in[AUTH_CLAIM_SIZE], struct auth_claim *claim);

void auth_write_grant(
    const struct auth *auth, const struct auth_grant *grant, unsigned char out[AUTH_GRANT_SIZE]);

/* NULL, or why the server cannot be believed. */
const char *auth_read_grant(
    const struct auth *auth, const unsigned char in[AUTH_GRANT_SIZE], struct auth_grant *grant);

/* Read a key from a file of its owner's only; a newline at the end is not part of it. Returns -1
 * after telling the user why; `key` is then as it was. */
int auth_key_read(struct auth_key *key, const char *path);
void auth_key_release(struct auth_key *key);

#endif
