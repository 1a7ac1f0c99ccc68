# netrecord: record and replay for TCP. `make help` lists the targets.
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= cc
VARIANT ?= release
SANITIZE ?=
B := build/$(VARIANT)

CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
PKGS := libbsd-overlay zlib
CPPFLAGS += -D_GNU_SOURCE -iquote . $(shell pkg-config --cflags $(PKGS))
ALL_CFLAGS := -std=c11 $(WARN) $(CFLAGS) $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
LIBS := $(shell pkg-config --libs $(PKGS)) -pthread
LINK = $(CC) $(ALL_CFLAGS) $(LDFLAGS)

FORMAT := $(patsubst %.c,$B/%.o,$(wildcard format/*.c))
NET := $(patsubst %.c,$B/%.o,$(wildcard net/*.c))
COMMANDS := netlog $(patsubst %/main.c,%,$(wildcard net*/main.c))
objects = $(patsubst %.c,$B/%.o,$(wildcard $1/*.c))

all: $(COMMANDS:%=$B/%)

$B/netlog: $(call objects,format/netlog) $(FORMAT)
	$(LINK) -o $@ $^ $(LIBS)
$(filter-out $B/netlog,$(COMMANDS:%=$B/%)): $B/%: $(NET) $(FORMAT)
	$(LINK) -o $@ $(filter $B/$*/%,$^) $(filter-out $B/$*/%,$^) $(LIBS)
$(foreach c,$(filter-out netlog,$(COMMANDS)),$(eval $B/$c: $(call objects,$c)))

$B/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -pthread -MMD -MP -c -o $@ $<

# unit tests: one program a file of tests/unit, linked with the libraries
UNITS := $(patsubst tests/unit/%.c,$B/unit/%,$(wildcard tests/unit/*_test.c))
$B/unit/%: $B/tests/unit/%.o $(NET) $(FORMAT)
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(LIBS)
unit: $(UNITS)
	@for t in $(UNITS); do $$t || exit 1; done

-include $(shell find $B -name '*.d' 2>/dev/null)
.SECONDARY:
.PHONY: all unit
