/* Files that hold secrets: the pre-shared key, the tokens of --client-auth. */
#ifndef NETTUNNEL_SECRET_H
#define NETTUNNEL_SECRET_H

#include <stddef.h>

#define SECRET_MAX (64 * 1024)

/*
 * Read a file that nobody but its owner may access (and root), of at most SECRET_MAX bytes, into
 * memory that is the caller's: secret_free() it. A NUL follows the bytes. Returns NULL with
 * `*error`, a text that lasts until the next call.
 */
char *secret_read(const char *path, size_t *size, const char **error);

/* Wipe and free. NULL is harmless. */
void secret_free(char *secret, size_t size);

#endif
