"""The README's examples, run as they stand there but for their ports; what is shown is what is told."""
import re

from harness.cookbook import Shell
from harness.proc import TOP
from harness.services import Redis, free_port

TEXT = (TOP / "README.md").read_text()
UNITS = re.compile(r"\b(us|ms|s)\b")


def section(name):
    """The indented lines under that heading."""
    (found,) = [part for part in TEXT.split("\n## ") if part.startswith(name + "\n") or part.startswith(name + ":")]
    return [line[4:] for line in found.splitlines() if line.startswith("    ")]


def same(line):
    """Without what is different each time."""
    return " ".join(UNITS.sub("u", re.sub(r"[\d.:-]*\d", "#", line)).split())


def script(lines):
    """Its commands, each given the time to be ready."""
    # not interactive: kill takes a process, not a job
    commands = [line[2:].replace("kill %1", "kill $!; wait") for line in lines if line.startswith("$ ")]
    return "".join(f"{command}\nsleep 0.5\n" if command.endswith("&") else f"{command} || :\n" for command in commands)


def check(lines, told):
    shown = {same(line) for line in told.splitlines()}
    for line in lines:
        if not line.startswith("$ ") and line != "...":
            # redis-cli is terse when no terminal reads it
            assert same(line) in shown or same(line).strip('"') in shown, f"{line!r} is not in\n{told}"


def test_examples(folder):
    record, read, replay = section("Record"), section("Read"), section("Replay")
    mirror, scripts = section("Mirror"), section("Scripts")
    with Redis(folder) as server, Redis(folder) as observer:
        ports = {"6379": server.port, "6391": observer.port, **{port: free_port() for port in ("6380", "6381", "6382")}}
        parts = [record, read, replay, mirror, [line.replace("docs/examples", str(TOP / "docs/examples")) for line in scripts]]
        for number, lines in enumerate(parts):
            text = script(lines).replace("redis-cli set", "redis-cli -p 6379 set").replace("redis-cli get", "redis-cli -p 6379 get")
            for old, new in ports.items():
                text = text.replace(old, str(new))
            with Shell(text + ("kill $!\n" if number == 4 else ""), folder) as shell:
                check(lines, shell.ends(0))


def test_it_says_what_there_is():
    for path in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", TEXT):
        assert (TOP / path).exists(), path
    assert len(TEXT.splitlines()) <= 150
