#!/bin/sh
# What `make check` does once all packages are there. Ends at the first failure; pytest comes last.
set -eu
cd "$(dirname "$0")/.."

make="${MAKE:-make} --no-print-directory"
pytest="/usr/bin/python3 -m pytest -c tests/pytest.ini --rootdir=tests tests"
jobs=$(nproc)

step() {
	printf '== %s\n' "$1"
}

# build VARIANT [VAR=value...]: quietly, warnings being errors
build() {
	variant=$1
	shift
	step "build: $variant $*"
	$make -s -j"$jobs" VARIANT="$variant" WERROR=1 "$@" all units
}

# core VARIANT: unit tests and the core of the system tests on that build
core() {
	step "unit tests: $1"
	$make -s VARIANT="$@" unit
	step "system tests, core: $1"
	NETRECORD_BIN=build/$1 $pytest -m 'core and not slow' --durations=3
}

step "layers"
$make layers
step "lint"
$make lint

build release
build clang CC=clang
build asan SANITIZE=address,undefined CFLAGS="-O1 -g"
build tsan SANITIZE=thread CFLAGS="-O1 -g"

step "unit tests: release"
$make -s unit
step "fuzz corpora"
MAKE="${MAKE:-make}" tests/fuzz.sh replay

export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=0:second_deadlock_stack=1
core asan SANITIZE=address,undefined CFLAGS="-O1 -g"
core tsan SANITIZE=thread CFLAGS="-O1 -g"

step "system tests: release"
NETRECORD_BIN=build/release $pytest
