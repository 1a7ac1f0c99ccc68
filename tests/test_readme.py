"""The examples of README and tutorial, run as they stand there but for their ports; what is shown is what is told."""
import re

from harness.cookbook import Shell
from harness.proc import TOP
from harness.services import Redis, free_port

TEXT = (TOP / "README.md").read_text()
TUTORIAL = (TOP / "docs/tutorial.md").read_text()
VARIES = re.compile(r"GMT|^ +\d.* to |^-rw|: recorded . byte|^Se$|^time |web_1: server")
UNITS = re.compile(r"\b(us|ms|s)\b")


def section(name, text=TEXT):
    """The indented lines under that heading."""
    (found,) = [part for part in text.split("\n## ") if part.startswith(name)]
    return [line[4:] for line in found.splitlines() if line.startswith("    ")]


def same(line):
    """Without what is different each time, such as which of two sides that both end is the last."""
    line = re.sub(r"\b[cs] hup\b", "hup", line)
    line = re.sub(r"^ended( +hup \d+,?)+$", "ended hup", line)
    return " ".join(UNITS.sub("u", re.sub(r"[\d.:-]*\d[KMG]?\b", "#", line)).split())


def script(lines):
    """Its commands, each given the time to be ready."""
    # not interactive: kill takes a process, not a job
    commands = [re.sub("kill %[12]", "kill $!; wait $!", line[2:]) for line in lines if line.startswith("$ ")]
    pause = {"&": "sleep 0.5", "curl": "sleep 0.2"}  # it is open; the recording of it has ended
    return "".join(f"{command}\n{pause.get(command[-1]) or pause.get(command.split()[0], ':')}\n" for command in commands)


def check(lines, told):
    shown = {same(line) for line in told.splitlines()}
    for line in lines:
        if not line.startswith("$ ") and line != "..." and not VARIES.search(line):
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


def test_tutorial(folder):
    parts = [section(name, TUTORIAL) for name in ("A server and a client", "What happened", "Stop, and look", "Play it again")]
    ports = {"8000": free_port(), "8001": free_port()}
    # one shell: the recorder runs on from section to section; a date is another one after a second
    text = "".join(script(part) for part in parts).replace("8000 &", "8000 >log 2>&1 &").replace("sleep 0.5", "sleep 1")
    for old, new in ports.items():
        text = text.replace(old, str(new))
    with Shell(text, folder) as shell:
        check(sum(parts, []), shell.ends(0) + (folder / "web_1").read_text())


def test_it_says_what_there_is():
    for path in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", TEXT):
        assert (TOP / path).exists(), path
    assert len(TEXT.splitlines()) <= 150
