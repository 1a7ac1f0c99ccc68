/* The version of all commands and of libnetlog. */
#ifndef FORMAT_VERSION_H
#define FORMAT_VERSION_H

#define VERSION_TEXT "0.1.0"

#endif
