/* Colours for people, by what stands in the environment. */
#ifndef FORMAT_COLOUR_H
#define FORMAT_COLOUR_H

#include <stdbool.h>

/* Is standard output coloured if the user says nothing of it? It is if it is a terminal and
 * NO_COLOR is not set, or empty (no-color.org). */
bool colour_wanted(void);

#endif
