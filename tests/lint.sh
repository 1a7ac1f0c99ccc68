#!/bin/sh
# Style and static analysis of all C sources and manual pages; silent if clean. `style` leaves the analysis out.
set -eu
cd "$(dirname "$0")/.."

sources=$(git ls-files '*.c' '*.h')
own=$(git ls-files 'format/*.c' 'net*/*.c')
flags="-std=c11 -D_GNU_SOURCE -iquote . $(pkg-config --cflags libbsd-overlay zlib)"
! pkg-config --exists libpcap || flags="$flags -DHAVE_LIBPCAP $(pkg-config --cflags libpcap)"
! pkg-config --exists lua5.4 || flags="$flags -DHAVE_LUA $(pkg-config --cflags lua5.4)"

status=0
# shellcheck disable=SC2086 # lists of words
clang-format --dry-run -Werror $sources || status=1
# shellcheck disable=SC2016,SC2086
[ "${1:-}" = style ] || printf '%s\n' $own | xargs -P "$(nproc)" -n 1 \
	sh -c 'clang-tidy --quiet --warnings-as-errors="*" "$1" -- '"$flags"' 2>/dev/null' tidy || status=1
for page in docs/man/*.[15]; do
	mandoc -Tlint -W warning "$page" || status=1
done
exit $status
