#include <stdlib.h>
#include <string.h>

#include "net/notice.h"
#include "nettunnel/auth.h"
#include "nettunnel/frame.h"
#include "nettunnel/secret.h"

#define ROLE_SIZE 16
#define WEAK 16 /* bytes of a key */

static const char roles[][ROLE_SIZE + 1] = {
    [AUTH_PROVIDER] = "tunnel provider\n",
    [AUTH_SERVER] = "tunnel server\n\n\n",
};

/* Offsets in the body of a claim. */
enum { CLAIM_WANT = AUTH_SESSION_SIZE, CLAIM_RECEIVED, CLAIM_NAME = CLAIM_RECEIVED + 8 };

void
auth_hello(struct auth *auth, enum auth_role role, unsigned char out[AUTH_HELLO_SIZE])
{
	arc4random_buf(auth->nonces[role], AUTH_NONCE_SIZE);
	memcpy(out, AUTH_MAGIC, AUTH_MAGIC_SIZE);
	memcpy(out + AUTH_MAGIC_SIZE, auth->nonces[role], AUTH_NONCE_SIZE);
}

const char *
auth_read_hello(struct auth *auth, enum auth_role role, const unsigned char in[AUTH_HELLO_SIZE])
{
	if (memcmp(in, AUTH_MAGIC, AUTH_MAGIC_SIZE - 1) != 0)
		return "does not speak the tunnel protocol";
	if (in[AUTH_MAGIC_SIZE - 1] != AUTH_MAGIC[AUTH_MAGIC_SIZE - 1])
		return "speaks another version of the tunnel protocol";
	memcpy(auth->nonces[role], in + AUTH_MAGIC_SIZE, AUTH_NONCE_SIZE);
	return NULL;
}

/* The code over all that is known so far, and `grant` if it is the server's. */
static void
make_code(const struct auth *auth, enum auth_role role, const unsigned char *grant,
    unsigned char code[HMAC_SIZE])
{
	struct hmac hmac;

	hmac_init(&hmac, auth->key->bytes, auth->key->size);
	hmac_update(&hmac, roles[role], ROLE_SIZE);
	hmac_update(&hmac, AUTH_MAGIC, AUTH_MAGIC_SIZE);
	hmac_update(&hmac, auth->nonces, sizeof(auth->nonces));
	hmac_update(&hmac, auth->claim, sizeof(auth->claim));
	if (grant != NULL)
		hmac_update(&hmac, grant, AUTH_GRANT_BODY);
	hmac_final(&hmac, code);
}

void
auth_write_claim(
    struct auth *auth, const struct auth_claim *claim, unsigned char out[AUTH_CLAIM_SIZE])
{
	memset(out, 0, AUTH_CLAIM_BODY);
	memcpy(out, claim->session, AUTH_SESSION_SIZE);
	out[CLAIM_WANT] = (unsigned char)claim->want;
	frame_put_number(out + CLAIM_RECEIVED, claim->received, 8);
	memcpy(out + CLAIM_NAME, claim->name, strnlen(claim->name, AUTH_NAME_SIZE));
	memcpy(auth->claim, out, AUTH_CLAIM_BODY);
	make_code(auth, AUTH_PROVIDER, NULL, out + AUTH_CLAIM_BODY);
}

const char *
auth_read_claim(
    struct auth *auth, const unsigned char in[AUTH_CLAIM_SIZE], struct auth_claim *claim)
{
	unsigned char code[HMAC_SIZE];

	memcpy(auth->claim, in, AUTH_CLAIM_BODY);
	make_code(auth, AUTH_PROVIDER, NULL, code);
	if (!hmac_equal(code, in + AUTH_CLAIM_BODY, HMAC_SIZE))
		return "does not have our key";
	memset(claim, 0, sizeof(*claim));
	memcpy(claim->session, in, AUTH_SESSION_SIZE);
	claim->want = in[CLAIM_WANT] == AUTH_RESUME ? AUTH_RESUME : AUTH_NEW;
	claim->received = frame_get_number(in + CLAIM_RECEIVED, 8);
	memcpy(claim->name, in + CLAIM_NAME, AUTH_NAME_SIZE);
	return NULL;
}

void
auth_write_grant(
    const struct auth *auth, const struct auth_grant *grant, unsigned char out[AUTH_GRANT_SIZE])
{
	out[0] = (unsigned char)grant->status;
	frame_put_number(out + 1, grant->received, 8);
	make_code(auth, AUTH_SERVER, out, out + AUTH_GRANT_BODY);
}

const char *
auth_read_grant(
    const struct auth *auth, const unsigned char in[AUTH_GRANT_SIZE], struct auth_grant *grant)
{
	unsigned char code[HMAC_SIZE];

	make_code(auth, AUTH_SERVER, in, code);
	if (!hmac_equal(code, in + AUTH_GRANT_BODY, HMAC_SIZE))
		return "does not have our key";
	grant->status = in[0] == AUTH_GRANTED ? AUTH_GRANTED : AUTH_UNKNOWN;
	grant->received = frame_get_number(in + 1, 8);
	return NULL;
}

int
auth_key_read(struct auth_key *key, const char *path)
{
	const char *error = NULL;
	size_t size = 0;
	char *bytes = secret_read(path, &size, &error);

	if (size > 0 && bytes[size - 1] == '\n')
		size--;
	if (bytes != NULL && size == 0)
		error = "is empty";
	if (error != NULL) {
		notice(NOTICE_ERROR, "--key %s: %s", path, error);
		secret_free(bytes, size);
		return -1;
	}
	if (size < WEAK)
		notice(NOTICE_WARNING,
		    "--key %s: so short a key can be guessed by who sees it used", path);
	auth_key_release(key);
	key->bytes = bytes;
	key->size = size;
	return 0;
}

void
auth_key_release(struct auth_key *key)
{
	secret_free(key->bytes, key->size);
	key->bytes = NULL;
}
