#!/bin/bash
# Which lines of the sources the unit and system tests reach: a table, least covered files first.
set -eu
cd "$(dirname "$0")/.."

build=build/coverage
flags=(VARIANT=coverage CFLAGS="-O0 -g --coverage" LDFLAGS=--coverage)
find "$build" -name '*.gcda' -delete 2>/dev/null || true
${MAKE:-make} --no-print-directory -s -j"$(nproc)" "${flags[@]}" all unit
chmod -R a+rwX "$build" # some tests run it as another user
NETRECORD_BIN=$build ${PYTEST:?} || echo "coverage: some tests failed; the table shows what ran" >&2

find "$build/obj/format" "$build/obj/net" "$build"/obj/net?* -name '*.gcno' 2>/dev/null | sort -u |
	xargs gcov -n -r 2>/dev/null |
	awk -F"[:'% ]+" '
		/^File/ { name = $2 }
		/^Lines executed/ && name != "" {
			if (name ~ /\.c$/) { lines[name] = $5; share[name] = $3; total += $5; hit += $5 * $3 / 100 }
			name = ""
		}
		END {
			for (name in lines) printf "%6.1f%% of %5d  %s\n", share[name], lines[name], name | "sort -n"
			close("sort -n")
			printf "%6.1f%% of %5d  all\n", total ? 100 * hit / total : 0, total
		}'
