#!/bin/sh
# What `make check` does once all packages are there. Ends at the first failure; pytest comes last.
set -eu
cd "$(dirname "$0")/.."

make="${MAKE:-make} --no-print-directory"
pytest="/usr/bin/python3 -m pytest -c tests/pytest.ini --rootdir=tests tests"
jobs=$(nproc)
tests="-n $((jobs + 1))" # side by side: they wait more than they work

step() {
	printf '== %s\n' "$1"
}

# build VARIANT [VAR=value...]: quietly, warnings being errors
build() {
	variant=$1
	shift
	step "build: $variant"
	$make -s -j"$jobs" VARIANT="$variant" WERROR=1 "$@" all units
}

# core VARIANT [VAR=value...]: unit tests and the core of the system tests on that build
core() {
	$make -s VARIANT="$@" unit
	NETRECORD_BIN=build/$1 $pytest -n "$jobs" -m 'core and not slow' --durations=3
}

step "layers"
$make layers
step "style" # the static analysis takes minutes: make lint, and check-slow
tests/lint.sh style

# gcc and clang both; clang's build is also the one of the fuzz targets
clang="CC=clang SANITIZE=fuzzer-no-link,address,undefined"
build release
# shellcheck disable=SC2086 # two words
build fuzz $clang CFLAGS="-O1 -g"
# threads are net/'s alone
threaded=$(grep -l '"net/' tests/unit/*_test.c | sed 's|tests/unit/\(.*\)\.c|build/tsan/unit/\1|' | paste -sd ' ')
build tsan SANITIZE=thread CFLAGS="-O1 -g" UNITS="$threaded"

step "unit tests: release"
$make -s unit
step "fuzz corpora"
MAKE="${MAKE:-make}" tests/fuzz.sh replay

export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=0:second_deadlock_stack=1
step "unit tests and core of the system tests: asan and tsan, side by side"
# shellcheck disable=SC2086
core fuzz $clang CFLAGS="-O1 -g" >build/fuzz/core.log 2>&1 &
asan=$!
core tsan SANITIZE=thread CFLAGS="-O1 -g" UNITS="$threaded" >build/tsan/core.log 2>&1 &
tsan=$!
status=0
wait $asan || status=1
cat build/fuzz/core.log
wait $tsan || status=1
cat build/tsan/core.log
[ $status -eq 0 ] || exit 1

step "system tests: release"
# shellcheck disable=SC2086
NETRECORD_BIN=build/release $pytest $tests
