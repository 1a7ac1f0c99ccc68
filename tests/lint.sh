#!/bin/sh
# Style and static analysis of all C sources, manual pages and scripts; silent if clean.
set -eu
cd "$(dirname "$0")/.."

sources=$(git ls-files '*.c' '*.h')
own=$(git ls-files 'format/*.c' 'net*/*.c')
flags="-std=c11 -D_GNU_SOURCE -iquote . $(pkg-config --cflags libbsd-overlay zlib)"

# shellcheck disable=SC2086 # lists of words
clang-format --dry-run -Werror $sources
printf '%s\n' $own | xargs -P "$(nproc)" -n 1 sh -c 'clang-tidy --quiet --warnings-as-errors="*" "$@" -- '"$flags"' 2>/dev/null' tidy
for page in docs/man/*.[15]; do
	mandoc -Tlint -W warning "$page"
done
/usr/bin/python3 -m compileall -q tests >/dev/null
