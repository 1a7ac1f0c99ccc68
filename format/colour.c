#include "format/colour.h"

#include <stdlib.h>
#include <unistd.h>

bool
colour_wanted(void)
{
	const char *refused = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) == 1 && (refused == NULL || refused[0] == '\0');
}
