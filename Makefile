# netrecord: record and replay for TCP. `make help` lists the targets.
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= cc
VARIANT ?= release
SANITIZE ?=
FUZZ_SECONDS ?= 60
PYTEST := /usr/bin/python3 -m pytest -c tests/pytest.ini --rootdir=tests tests
B := build/$(VARIANT)
O := $B/obj

CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
# libpcap and Lua 5.4 are optional: WITHOUT="pcap lua" builds as if they were not there
WITHOUT ?=
found = $(if $(filter $1,$(WITHOUT)),,$(firstword $(foreach p,$2,$(shell pkg-config --exists $p 2>/dev/null && echo $p))))
PCAP := $(call found,pcap,libpcap)
LUA := $(call found,lua,lua5.4 lua-5.4)
PKGS := libbsd-overlay libmd zlib $(PCAP) $(LUA)
CPPFLAGS += -D_GNU_SOURCE -iquote . $(if $(PCAP),-DHAVE_LIBPCAP) $(if $(LUA),-DHAVE_LUA)
CPPFLAGS += $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
ALL_CFLAGS := -std=c11 $(WARN) $(if $(WERROR),-Werror) $(CFLAGS) $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -pthread
LINK = $(CC) $(ALL_CFLAGS) $(LDFLAGS)

FORMAT := $(patsubst %.c,$O/%.o,$(wildcard format/*.c))
NET := $(patsubst %.c,$O/%.o,$(wildcard net/*.c))
COMMANDS := netlog $(patsubst %/main.c,%,$(wildcard net*/main.c))
objects = $(patsubst %.c,$O/%.o,$(wildcard $1/*.c))

all: $(COMMANDS:%=$B/%)

# the two libraries as archives, so that a program links what it uses
$B/libnetlog.a: $(FORMAT)
$B/libnet.a: $(NET)
$B/lib%.a:
	@rm -f $@
	@ar rcs $@ $^
LIBRARIES := $B/libnet.a $B/libnetlog.a

$B/netlog: $(call objects,format/netlog) $O/format/netlog/html/page.o $B/libnetlog.a
	$(LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)
$(filter-out $B/netlog,$(COMMANDS:%=$B/%)): $B/%: $(LIBRARIES)
	$(LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)
$(foreach c,$(filter-out netlog,$(COMMANDS)),$(eval $B/$c: $(call objects,$c)))

# rebuild when an optional library came or went
FEATURES := $O/features-$(or $(PCAP),no-pcap)-$(or $(LUA),no-lua)
$(FEATURES):
	@mkdir -p $(@D)
	@rm -f $O/features-*
	@touch $@

$O/%.o: %.c $(FEATURES)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -pthread -MMD -MP -c -o $@ $<

# the page of `netlog html`: its sources as arrays, scripts joined in the order in which they build on one another
PAGE := $(addprefix format/netlog/html/,page.html page.css details.css)
SCRIPTS := $(patsubst %,format/netlog/html/%.js,text recording search rows view timeline details page)
array = printf 'const unsigned char html_$1[] = {\n'; cat $2 | od -An -v -tx1 | sed 's/[0-9a-f][0-9a-f]/0x&,/g'; \
	printf '};\nconst size_t html_$1_size = sizeof(html_$1);\n'
$O/format/netlog/html/page.c: $(PAGE) $(SCRIPTS)
	@mkdir -p $(@D)
	{ echo '#include "format/netlog/html_page.h"'; $(call array,markup,$(filter %.html,$^)); \
	$(call array,style,$(filter %.css,$^)); $(call array,script,$(filter %.js,$^)); } >$@.new
	mv $@.new $@
$O/format/netlog/html/page.o: $O/format/netlog/html/page.c
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# unit tests: one program a file of tests/unit, linked with the libraries; what is named
# <command>_... also with that command's files
UNITS := $(patsubst tests/unit/%.c,$B/unit/%,$(wildcard tests/unit/*_test.c))
$B/unit/%: $O/tests/unit/%.o $(LIBRARIES)
	@mkdir -p $(@D)
	$(LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)
units: $(UNITS)
unit: units
	@for t in $(UNITS); do $$t || exit 1; done

# fuzz targets: clang only; tests/fuzz.sh builds them with VARIANT=fuzz
FUZZERS := $(patsubst tests/fuzz/%.c,$B/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
$B/fuzz/%: $O/tests/fuzz/%.o $(LIBRARIES)
	@mkdir -p $(@D)
	$(LINK) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)
fuzzers: $(FUZZERS)
define command_tests
$(filter $B/unit/$1_% $B/fuzz/$1_%,$(UNITS) $(FUZZERS)): $(filter-out %/main.o,$(call objects,$1))
endef
$(foreach c,netreplay netmirror nettunnel,$(eval $(call command_tests,$c)))

help:
	@echo 'make               build into build/release/'
	@echo 'make demo          record a few connections and read them, before your eyes'
	@echo 'make check         build and test all; as root, installs the packages that are missing'
	@echo 'make check-slow    the tests with the large counts'
	@echo 'make unit          unit tests only'
	@echo 'make fuzz          fuzz each target for FUZZ_SECONDS=60 s'
	@echo 'make bench         compare with other proxies'
	@echo 'make lint          clang-format, clang-tidy, mandoc'
	@echo 'make layers        prove that includes only run downward'
	@echo 'make coverage      which lines the tests reach'
	@echo 'make install       to DESTDIR= PREFIX=/usr/local; also uninstall'
	@echo 'make dist clean    a source archive; remove build/'
	@echo 'VARIANT=name SANITIZE=address,undefined CC=clang WERROR=1 WITHOUT="pcap lua" choose another build'

$B/demo_peer: $O/tests/demo/demo_peer.o
	$(LINK) -o $@ $^
demo:
	@tests/install-deps.sh build
	@$(MAKE) --no-print-directory -s all $B/demo_peer
	@tests/demo/demo.sh $B

check:
	@tests/install-deps.sh build check
	@MAKE='$(MAKE)' tests/check.sh
check-slow: all
	@tests/install-deps.sh build check
	@tests/lint.sh
	NETRECORD_BIN=$B $(PYTEST) -m slow --timeout=1200
fuzz:
	@tests/install-deps.sh build check
	@MAKE='$(MAKE)' tests/fuzz.sh $(FUZZ_SECONDS)
$B/bench/load: $(call objects,tests/bench)
	@mkdir -p $(@D)
	$(LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)
bench: all $B/bench/load
	tests/bench/run --build $B $(BENCH)
lint:
	@tests/lint.sh
layers:
	@tests/layers.sh
coverage:
	@MAKE='$(MAKE)' PYTEST='$(PYTEST)' tests/coverage.sh

MAN1 := $(wildcard docs/man/*.1)
MAN5 := $(wildcard docs/man/*.5)
BINDIR := $(DESTDIR)$(PREFIX)/bin
LIBDIR := $(DESTDIR)$(PREFIX)/lib
INCLUDEDIR := $(DESTDIR)$(PREFIX)/include/netlog
MANDIR := $(DESTDIR)$(PREFIX)/share/man
EXTCAPDIR := $(DESTDIR)$(PREFIX)/share/netrecord/extcap
DOCDIR := $(DESTDIR)$(PREFIX)/share/doc/netrecord
VERSION := $(shell sed -n 's/.*VERSION_TEXT "\(.*\)".*/\1/p' format/version.h)

install: all $B/libnetlog.a
	install -d $(BINDIR) $(LIBDIR)/pkgconfig $(INCLUDEDIR)/format $(MANDIR)/man1 $(MANDIR)/man5 $(EXTCAPDIR)
	install $(COMMANDS:%=$B/%) $(BINDIR)
	install netrecord/extcap.sh $(EXTCAPDIR)/netrecord
	install -m 644 $B/libnetlog.a $(LIBDIR)
	install -m 644 $(wildcard format/*.h) $(INCLUDEDIR)/format
	install -m 644 $(MAN1) $(MANDIR)/man1
	install -m 644 $(MAN5) $(MANDIR)/man5
	install -d $(DOCDIR)/examples
	install -m 644 $(wildcard docs/examples/*) $(DOCDIR)/examples
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; s|@PRIVATE@|$(if $(PCAP),$(shell pkg-config --libs $(PCAP) 2>/dev/null))|' format/netlog.pc.in > $(LIBDIR)/pkgconfig/netlog.pc
uninstall:
	rm -f $(COMMANDS:%=$(BINDIR)/%) $(LIBDIR)/libnetlog.a $(LIBDIR)/pkgconfig/netlog.pc
	rm -f $(MAN1:docs/man/%=$(MANDIR)/man1/%) $(MAN5:docs/man/%=$(MANDIR)/man5/%)
	rm -rf $(INCLUDEDIR) $(dir $(EXTCAPDIR)) $(DOCDIR)
dist:
	@mkdir -p build
	git archive --prefix=netrecord-$(VERSION)/ -o build/netrecord-$(VERSION).tar.gz HEAD
clean:
	rm -rf build

-include $(shell find $B -name '*.d' 2>/dev/null)
.PRECIOUS: $O/%.o
.PHONY: all units unit fuzzers help demo check check-slow fuzz bench lint layers coverage install uninstall dist clean
