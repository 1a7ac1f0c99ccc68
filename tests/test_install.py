"""make install: what it puts where, and that a program can be built against the library that it installs."""
import re

import pytest

from harness.proc import TOP, run

PROGRAM = r"""
#include <stdio.h>
#include "format/reader.h"

int
main(int argc, char **argv)
{
	struct record record;
	struct source *source = argc > 1 ? source_open(argv[1]) : NULL;
	struct reader *reader = source != NULL ? reader_new(source, argv[1]) : NULL;
	int records = 0;

	while (reader != NULL && reader_next(reader, &record) == READER_RECORD)
		records++;
	reader_free(reader);
	printf("%d\n", records);
	return 0;
}
"""

COMMANDS = ["netrecord", "netreplay", "netmirror", "netlog", "nettunnel"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("install")
    make(folder, "install")
    return folder


def make(folder, target, *more):
    words = ["make", "-s", "-C", TOP, "VARIANT=release", f"DESTDIR={folder}", "PREFIX=/opt/nr", target, *more]
    return run(*words, patience=100)


def files(folder):
    return sorted(str(path.relative_to(folder / "opt/nr")) for path in folder.rglob("*") if path.is_file())


def test_what_is_installed(stage):
    installed = files(stage)
    for name in ("lib/libnetlog.a", "lib/pkgconfig/netlog.pc", *(f"bin/{command}" for command in COMMANDS)):
        assert name in installed
    for page in (TOP / "docs/man").iterdir():
        assert f"share/man/man{page.suffix[1:]}/{page.name}" in installed
    assert "include/netlog/format/reader.h" in installed
    assert "share/doc/netrecord/examples/git_router.lua" in installed
    modes = {name: (stage / "opt/nr" / name).stat().st_mode & 0o777 for name in installed}
    assert all(mode == (0o755 if name.startswith(("bin/", "share/netrecord/extcap/")) else 0o644) for name, mode in modes.items())
    assert b"{value=netrecord}" in run(stage / "opt/nr/share/netrecord/extcap/netrecord", "--extcap-interfaces").stdout
    versions = {run(stage / "opt/nr/bin" / command, "-V").stdout.decode().replace(command, "") for command in COMMANDS}
    assert len(versions) == 1 and re.fullmatch(r" \d+\.\d+\.\d+\n", versions.pop())


def test_library_can_be_used(stage, folder):
    environment = {"PATH": "/usr/bin:/bin", "PKG_CONFIG_PATH": str(stage / "opt/nr/lib/pkgconfig")}
    words = ["pkg-config", "--define-variable=prefix=" + str(stage / "opt/nr"), "--static", "--cflags", "--libs", "netlog"]
    flags = run(*words, env=environment).stdout.decode().split()
    version = run("pkg-config", "--modversion", "netlog", env=environment).stdout.decode().strip()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    source, program, log = folder / "use.c", folder / "use", folder / "log"
    source.write_text(PROGRAM)
    run("cc", "-std=c11", source, "-o", program, *flags)
    # whatever a program uses of it
    run("cc", "-std=c11", source, "-o", folder / "all", "-Wl,--whole-archive", stage / "opt/nr/lib/libnetlog.a", "-Wl,--no-whole-archive", *flags)
    log.write_bytes(b"c 0.000000 con\nc 0.500000 5\nhelloc 1.000000 hup\n")
    assert run(program, log).stdout == b"3\n"


def test_uninstall_leaves_nothing(tmp_path):
    make(tmp_path, "install")
    assert files(tmp_path)
    make(tmp_path, "uninstall")
    assert files(tmp_path) == []


@pytest.mark.slow
def test_source_archive_builds(folder):
    archive = run("make", "-s", "-C", TOP, "dist", patience=100) and next((TOP / "build").glob("netrecord-*.tar.gz"))
    run("tar", "-xzf", archive, "-C", folder)
    (top,) = folder.iterdir()
    run("make", "-s", "-j2", "-C", top, patience=600)
    for command in COMMANDS:
        assert run(top / "build/release" / command, "-V").stdout.startswith(command.encode())
