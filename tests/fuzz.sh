#!/bin/sh
# Build the fuzz targets; `replay` their corpora, or fuzz each for the given number of seconds.
set -eu
cd "$(dirname "$0")/.."

seconds=${1:-60}
targets=build/fuzz/fuzz
${MAKE:-make} --no-print-directory -s -j"$(nproc)" VARIANT=fuzz CC=clang CFLAGS="-O1 -g" \
	SANITIZE=fuzzer-no-link,address,undefined fuzzers

for source in tests/fuzz/*_fuzz.c; do
	name=$(basename "$source" .c)
	corpus=tests/fuzz/corpus/${name%_fuzz}
	[ -n "$(ls "$corpus")" ] || { echo "fuzz: $corpus: no seeds" >&2; exit 1; }
	if [ "$seconds" = replay ]; then
		"$targets/$name" -runs=0 "$corpus" 2>&1 | tail -n 1 | sed "s/^/$name: /"
		"$targets/$name" "$corpus"/* >/dev/null 2>&1 || { "$targets/$name" "$corpus"/*; exit 1; }
		continue
	fi
	echo "== $name, $seconds s"
	mkdir -p "build/fuzz/found/$name" # what is found stays out of the seeds
	"$targets/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix="build/fuzz/found/" "build/fuzz/found/$name" "$corpus" 2>"build/fuzz/$name.log" || {
		tail -n 40 "build/fuzz/$name.log"
		exit 1
	}
	grep -E 'stat::(number_of_executed_units|new_units_added|peak_rss_mb)|DONE' "build/fuzz/$name.log" || true
done
