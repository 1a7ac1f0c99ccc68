"""The command line of netlog: help, options, operands, exit statuses."""
import os
import subprocess

import pytest

from harness.netlog import NETLOG, SAMPLE, con, good, refused, run, write

pytestmark = pytest.mark.core

COMMANDS = ["list", "show", "check", "diff", "stat", "pcap", "json", "html", "cut", "merge", "redact", "import"]
READERS = ["list", "show", "check", "stat", "json", "html", "cut"]


def test_help_names_every_command():
    text = good("--help")
    assert good("-h") == text
    assert [line.split()[0] for line in text.split("\n\n")[2].splitlines()] == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_names_its_options(command):
    text = good(command, "--help")
    assert text == good(command, "-h") == good("-v", command, "-h")
    assert text.startswith(f"usage: netlog {command} ")
    for option in ("--recording", "--verbose", "--quiet", "--help", "--version"):
        assert option in text


def test_version():
    text = good("--version")
    assert text == good("-V") == good("show", "--version")
    assert text.split()[0] == "netlog"


def test_usage_errors_are_one_line_that_leads_to_the_help(folder):
    log = write(folder / "log_1")
    assert refused() == "netlog: no command given (try netlog --help)"
    assert refused("unify", "a", "b") == "netlog: unknown subcommand unify (try netlog --help)"
    assert refused("--nonsense") == "netlog: unknown option: --nonsense (try netlog --help)"
    assert refused("--recording") == "netlog: option needs a value: --recording (try netlog --help)"
    assert refused("show", "--hex", "-kq", log) == "netlog: unknown option: -k (try netlog show --help)"
    assert refused("list", "--nonsense") == "netlog: unknown option: --nonsense (try netlog list --help)"
    assert refused("show", "-k", log) == "netlog: unknown option: -k (try netlog show --help)"
    assert refused("show", log, "--side") == "netlog: option needs a value: --side (try netlog show --help)"
    assert refused("merge", log, "-o") == "netlog: option needs a value: -o (try netlog merge --help)"
    assert refused("check", "--repair=x", log) == "netlog: option takes no value: --repair (try netlog check --help)"
    assert refused("show", "--side", "x", log).startswith("netlog: --side: x is neither c nor s")
    assert refused("cut", "--from", "soon", log).startswith("netlog: --from: soon is not a time")
    assert refused("show", "--from", "-1", log).startswith("netlog: --from: -1 is not a time")
    assert refused("show", "--color=red", log).startswith("netlog: --color: red is none of")
    assert refused("html", "--total", "much", log).startswith("netlog: --total: much is not a size")
    assert "--grep" in refused("show", "--grep", "(", log)
    assert "--grep" in refused("show", "--grep", "x*", log)


@pytest.mark.parametrize("command", READERS)
def test_missing_logs_and_directories_are_refused(folder, command):
    if command != "list":
        assert "no log given" in refused(command)
    assert "no log of that name" in refused(command, folder / "nothing")
    assert "directory" in refused(command, folder)


def test_hostile_operands_are_made_printable(folder):
    assert refused("list", "\033[31m") == "netlog: \\^[[31m: no log of that name"
    refused("\033]0;title\a")
    refused("show", "--\033[31m")
    run("check", write(folder / "log\033[31m_1", SAMPLE[0] + b"junk"))


def test_options_stand_before_and_behind_operands(folder):
    log = write(folder / "log_1")
    expected = good("show", "--side", "c", "-x", log)
    assert expected == good("show", log, "--side", "c", "-x") == good("show", "-x", log, "--side=c")
    assert len(good("list", log, "-q", "--", log).splitlines()) == 2
    assert good("-q", "list", log) == good("list", "-q", log) == good("list", log, "-q")


def test_operands_may_be_of_all_kinds(folder):
    log = write(folder / "a_1")
    zipped = write(folder / "b_1.gz")
    write(folder / "c_1")
    write(folder / "c_2")
    kinds = [log, zipped, folder / "c", "-"]
    lines = good("json", *kinds, stdin=b"".join(SAMPLE)).splitlines()
    assert len(lines) == 5 * len(SAMPLE)
    whole = good("json", log).replace(f'"log":"{log}","n":1', "")
    for kind, name, n in [(zipped, zipped, 1), ("-", "-", 0)]:
        assert good("json", kind, stdin=b"".join(SAMPLE)).replace(f'"log":"{name}","n":{n}', "") == whole


def test_pipe_by_name_is_read_like_a_file(folder):
    commands = [["list", "-q"], ["show"], ["show", "--grep", "hello"], ["show", "--slow", "100ms"], ["check"], ["stat"], ["json"]]
    for command in [*commands, ["merge", "-o", folder / "m"], ["redact", "-q", "-e", "PING", "-o", folder / "r"]]:
        log = write(folder / "log_1")
        words = [NETLOG, *map(str, command)]
        # the same path must name the file at first, then the pipe, for the outputs to be equal
        plain = subprocess.run(["sh", "-c", 'exec "$@" /dev/fd/9 9<"$0"', log, *words], stdout=subprocess.PIPE, check=True)
        piped = subprocess.run(["sh", "-c", 'cat "$0" | { exec "$@" /dev/fd/9 9<&0; }', log, *words], stdout=subprocess.PIPE, check=True)
        assert piped.stdout == plain.stdout
    assert (folder / "m_1").read_bytes() == (folder / "m_2").read_bytes() == b"".join(SAMPLE)
    one, other = folder.glob("r_*")
    assert one.read_bytes() == other.read_bytes() == b"".join(SAMPLE).replace(b"PING", b"XXXX")


@pytest.mark.parametrize("command", READERS)
def test_a_full_disk_is_noticed_at_the_end(folder, command):
    log = write(folder / "log_1")
    with open("/dev/full", "wb") as full:
        result = run(command, log, stdout=full)
    assert result.returncode == 2
    assert result.stderr == b"netlog: standard output: No space left on device\n"


@pytest.mark.parametrize("command", READERS)
def test_a_reader_that_went_away_is_no_news(folder, command):
    log = write(folder / "log_1", [con(), *[b"c 1.000000 5000\n" + b"x" * 5000] * 500])
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run([NETLOG, command, log], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (result.returncode, result.stderr) == (2, b"")


def test_damaged_log_does_not_keep_the_others_from_being_read(folder):
    bad = write(folder / "bad_1", SAMPLE[0] + b"junk\n")
    fine = write(folder / "fine_1")
    for command in ("list", "show", "stat", "json"):
        result = run(command, bad, fine)
        assert result.returncode == 1
        assert result.stderr.decode().startswith(f"netlog: {bad}: byte {len(SAMPLE[0])}: ")
        assert len(result.stderr.splitlines()) == 1
        both = good(command, fine)
        assert both.splitlines()[-1].split()[-1] in result.stdout.decode()


@pytest.mark.parametrize("command", READERS)
def test_unreadable_file_is_an_environment_error(folder, command):
    if os.geteuid() == 0:
        log = folder / "loop_1"
        log.symlink_to(log)
    else:
        log = write(folder / "log_1")
        log.chmod(0)
    refused(command, log)


def test_recording_is_chosen_by_its_id(folder):
    from harness.netlog import entry

    for n in (1, 2, 3):
        write(folder / f"log_{n}", [con(n), *SAMPLE[1:]])
    (folder / "log_index.jsonl").write_text(
        entry(1, "2026-11-20T10:00:00.000000Z", 0.1, run="alpha-1")
        + entry(2, "2026-11-20T11:00:00.000000Z", 0.1, run="beta-1")
        + entry(3, "2026-11-20T12:00:00.000000Z", 0.1, run="alpha-1")
    )
    numbers = lambda *args: [line.split()[0] for line in good("list", "-q", folder / "log", *args).splitlines()]
    assert numbers() == ["1", "2", "3"]
    assert numbers("--recording", "alpha-1") == numbers("--recording", "alp") == ["1", "3"]
    assert numbers("--recording=beta-1") == ["2"]
    assert good("check", "-v", "--recording", "beta", folder / "log").count(": ok") == 1
    assert good("json", "--recording", "beta", folder / "log").count('"n":2') == len(SAMPLE)
    assert "gamma" in refused("list", "--recording", "gamma", folder / "log")
