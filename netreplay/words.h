/* A command line split at blanks, as a shell does but without any expansion. */
#ifndef NETREPLAY_WORDS_H
#define NETREPLAY_WORDS_H

/* "..." and '...' keep blanks together, \ takes the next character as it is (within "..." only
 * before ", \, $ and `). Returns NULL and the words, ended by a NULL, or a static text that says
 * what is wrong. */
const char *words_split(const char *text, char ***words);
void words_free(char **words);

#endif
