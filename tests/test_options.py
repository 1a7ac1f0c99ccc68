"""What --help says, what the manual says and what is accepted are the same, for all commands."""
import re
import string
import subprocess

import pytest

from harness.netlog import SAMPLE
from harness.proc import BIN, TOP, run

NETLOG = ["list", "show", "check", "diff", "stat", "pcap", "json", "html", "cut", "merge", "redact", "import"]
TABLES = {
    "netrecord": ["netrecord/main.c", "net/front.h", "net/options.h"],
    "netmirror": ["netmirror/settings.c", "net/front.h", "net/options.h"],
    "netreplay": ["netreplay/settings.c", "net/options.h"],
    "nettunnel": ["nettunnel/settings.c", "net/options.h"],
    **{f"netlog {command}": [f"format/netlog/{command}.c", "format/netlog/netlog.h"] for command in NETLOG},
}
ROW = re.compile(r"\{\s*\"([a-z0-9-]+)\",\s*(no|required|optional)_argument,\s*NULL,\s*('(.)'|\w+)\s*\}")
HELP = re.compile(r"^  (?:-(.),|   ) --([a-z0-9-]+)(?:(\[=[A-Z]+\])|( [^ ].*?))?(?:  .*)?$")
SAME = {"colour"}  # another spelling


def program(name):
    command, *words = name.split()
    return [BIN / command, *words]


def usage(name):
    return run(*program(name), "--help").stdout.decode()


def accepted(name):
    """{long name: (letter or None, "no", "required" or "optional")}, by the sources."""
    rows = [row for path in TABLES[name] for row in ROW.findall((TOP / path).read_text().replace("\\\n", "\n"))]
    return {long: (letter or None, kind) for long, kind, _, letter in rows if long not in SAME}


def explained(name):
    """The same, by --help."""
    options = {}
    for line in usage(name).splitlines():
        found = HELP.match(line)
        if found:
            letter, long, optional, value = found.groups()
            options[long] = (letter, "optional" if optional else "required" if value else "no")
    return options


LISTENERS = {
    "netrecord": ["netrecord", "127.0.0.1", "9", "0", "{folder}/log"],
    "netmirror": ["netmirror", "127.0.0.1", "9", "0"],
    "netreplay --serve": ["netreplay --serve", "0", "{folder}/played_1"],
}


@pytest.mark.parametrize("empty", ["", "[]"])
@pytest.mark.parametrize("words", LISTENERS.values(), ids=LISTENERS.keys())
def test_empty_bind_address_does_not_mean_all(folder, words, empty):
    """As an unset variable of a shell gives it, also beside a good one."""
    (folder / "played_1").write_bytes(b"".join(SAMPLE))
    command, *words = [word.format(folder=folder) for word in words]
    for binds in (["-b", empty], ["-b", "127.0.0.1", "-b", empty]):
        done = run(*program(command), *binds, *words, check=False)
        assert done.returncode == 2 and b"no address" in done.stderr, done


@pytest.mark.parametrize("port", [" 70000", "+70001", "-1", "65536", "80 "])
@pytest.mark.parametrize("words", LISTENERS.values(), ids=LISTENERS.keys())
def test_port_does_not_wrap(folder, words, port):
    (folder / "played_1").write_bytes(b"".join(SAMPLE))
    command, *words = [port if word == "0" else word.format(folder=folder) for word in words]
    done = run(*program(command), "--", *words, check=False)
    assert done.returncode == 2 and b"cannot listen on" in done.stderr, done


@pytest.mark.parametrize("port", [" 70000", "+70001", "-1", "65536"])
def test_port_of_a_server_does_not_wrap(folder, port):
    for server in (["127.0.0.1", port], [f"127.0.0.1:{port}"]):
        done = run(BIN / "netrecord", "--", *server, "0", folder / "log", check=False)
        assert done.returncode == 2 and b"server 127.0.0.1" in done.stderr, done


@pytest.mark.parametrize("name", TABLES)
def test_help_names_what_is_accepted(name):
    assert explained(name) == accepted(name)


@pytest.mark.parametrize("option", ["--help", "--version"])
@pytest.mark.parametrize("name", sorted({name.split()[0] for name in TABLES}))
def test_help_that_cannot_be_written_is_no_success(name, option):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([BIN / name, option], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2, done
    assert done.stderr.decode() == f"{name}: standard output: No space left on device\n"


@pytest.mark.parametrize("name", [*TABLES, "netlog"])
def test_help_has_one_form(name):
    lines = usage(name).splitlines()
    assert lines[0].startswith(f"usage: {name} ")
    assert max(map(len, lines)) <= 80
    assert lines[lines.index("") + 1][0].isupper(), "then it says what the command does"
    options = [line for line in lines if line.startswith(("  -", "      --"))]
    assert all(line[30:31] == " " and line[31:32].strip() for line in options), "descriptions stand in one column"
    common = ["-v, --verbose", "-q, --quiet", "-h, --help", "-V, --version"]
    order = [line.split("   ")[0].strip() for line in options if line.strip().startswith(tuple(common))]
    assert order == common


@pytest.mark.parametrize("name", TABLES)
def test_every_option_is_accepted_and_no_other(name):
    """The strings of letters, which the tables do not show."""
    letters = {letter: kind for letter, kind in accepted(name).values() if letter}
    for letter in string.ascii_letters + string.digits:
        if letter in "hV" or (name == "netlog list" and letter in letters):
            continue
        told = run(*program(name), f"-{letter}", check=False).stderr.decode()
        if letter not in letters:
            assert f"unknown option: -{letter} (try {name} --help)" in told
        elif letters[letter] == "required":
            assert f"option needs a value: -{letter} (try {name} --help)" in told
        else:
            assert "option" not in told
    for long, (_, kind) in accepted(name).items():
        if kind == "required":
            told = run(*program(name), f"--{long}", check=False).stderr.decode()
            assert f"option needs a value: --{long} (try {name} --help)" in told
        elif kind == "no":
            told = run(*program(name), f"--{long}=much", check=False).stderr.decode()
            assert f"option takes no value: --{long} (try {name} --help)" in told


@pytest.mark.parametrize("name", sorted(page.stem for page in (TOP / "docs/man").glob("*.1")))
def test_manual_explains_every_option(name):
    text = (TOP / f"docs/man/{name}.1").read_text()
    items = " ".join(line.replace("Fl Fl ", "Fl -").replace("\\-", "-") for line in text.splitlines() if line.startswith(".It Fl"))
    manual = set(re.findall(r"Fl -([a-z0-9-]+)", items))
    commands = [command for command in TABLES if command.split()[0] == name]
    options = {long: letter for command in commands for long, (letter, _) in accepted(command).items()}
    assert manual == set(options)
    for long, letter in options.items():
        assert letter is None or re.search(rf"Fl {letter} , Fl -{long}\b", items), f"-{letter}, --{long}"


def test_same_letter_is_the_same_option():
    """But for those that users of tcpdump and nc expect."""
    letters = {}
    for name in TABLES:
        for long, (letter, _) in accepted(name).items():
            letters.setdefault(letter, set()).add(long)
    del letters[None]
    several = {letter: names for letter, names in letters.items() if len(names) > 1}
    assert set(several) <= set("FfwxR"), several


WRONG = "\x1b[31m\n"
VALUES = {
    "netrecord": [["--on-log-error", WRONG], ["-z" + WRONG], ["--rotate", WRONG], ["--grace", WRONG]],
    "netmirror": [["--sample", WRONG], ["--compare=" + WRONG], ["-o", WRONG], ["-I", WRONG], ["--queue", WRONG]],
    "netreplay": [["-t", WRONG], ["-S", WRONG], ["-C", WRONG], ["-o", WRONG], ["-i", WRONG + "("], ["-I", WRONG], ["--carry", WRONG],
                  ["--shard", WRONG], ["--fail-if", WRONG], ["--timeout", WRONG]],
    "nettunnel": [["--hold", WRONG], ["-m", WRONG], [WRONG]],
}


@pytest.mark.parametrize("name, words", [(name, words) for name, each in VALUES.items() for words in each])
def test_wrong_values_are_told_in_one_printable_line(name, words):
    done = run(*program(name), *words, check=False)
    text = done.stderr.decode()
    assert (done.returncode, done.stdout) == (2, b"")
    assert text.startswith(f"{name}: ") and text.endswith("\n") and text[:-1].isprintable(), repr(text)


def test_patterns_of_a_file_are_told_printable(folder):
    (folder / "patterns").write_bytes(b"\x1b]0;title\x07(\n")
    text = run(BIN / "netreplay", "-I", folder / "patterns", check=False).stderr.decode()
    assert "patterns" in text and text[:-1].isprintable(), repr(text)


@pytest.mark.parametrize("where", ["127.0.0.1:80", "[::1]:80", "unix:/tmp/x"])
def test_port_given_twice(folder, where):
    text = run(BIN / "netrecord", where, "81", "0", folder / "log", check=False).stderr.decode()
    assert text == f"netrecord: server {where} 81: it has a port already\n"
