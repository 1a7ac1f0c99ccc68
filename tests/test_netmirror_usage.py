"""What a user reads: help, version, and one line for every wrong use."""
import pytest

from harness.mirror import NETMIRROR, refused
from harness.proc import run


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(option):
    done = run(NETMIRROR, option)
    text = done.stdout.decode()
    assert done.stderr == b""
    assert "netmirror [options] host port proxyport observer..." in text
    for word in """-f --file --queue --sample -l --log -b --bind -4 -6 -z --gzip --rotate --keep -x --exec -s --script
        -m --max-connections --connect-timeout --idle-timeout --half-close-timeout -u --user --metrics --grace
        -v -q -h -V""".split():
        assert word in text, f"{word} is not explained"
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(option):
    done = run(NETMIRROR, option)
    assert done.stdout.startswith(b"netmirror ") and done.stdout.count(b"\n") == 1


SERVER = ("127.0.0.1", "9", "0")
CASES = {
    "nothing": ((), "are needed"),
    "no proxyport": (("127.0.0.1", "9"), "are needed"),
    "no proxyport behind host:port": (("127.0.0.1:9",), "are needed"),
    "server port 0": (("127.0.0.1", "0", "0"), "port 0"),
    "bad proxyport": (("127.0.0.1", "9", "x"), "cannot listen"),
    "an observer without port": ((*SERVER, "127.0.0.1"), "observer 127.0.0.1: no :port"),
    "an observer without host": ((*SERVER, ":80"), "observer :80: no host"),
    "an observer that is nowhere": ((*SERVER, "no-such-host.invalid:80"), "observer no-such-host.invalid:80"),
    "an observer with port 0": ((*SERVER, "127.0.0.1:0"), "port 0"),
    "queue": (("--queue", "much", *SERVER), "--queue: much is not a size"),
    "queue of nothing": (("--queue", "1", *SERVER), "--queue: 1 is less than"),
    "sample": (("--sample", "many", *SERVER), "--sample: many is no percentage"),
    "sample above all": (("--sample", "101%", *SERVER), "--sample: 101% is no percentage"),
    "sample below none": (("--sample=-1", *SERVER), "--sample: -1 is no percentage"),
    "no script to choose": (("-", "-", "0"), "only a script"),
    "counters in place of a log": (("-l", "log", "--metrics", "./log_1", *SERVER), "name of a log"),
    "logroot empty": (("-l", "", *SERVER), "logroot is empty"),
    "file and operands": (("-f", "/dev/null", *SERVER), "no operands"),
    "file and bind": (("-f", "/dev/null", "-b", "127.0.0.1"), "not --bind"),
    "unknown option": (("--nonsense", *SERVER), "unknown option"),
    "missing value": (("--queue",), "needs a value"),
}


@pytest.mark.parametrize("argv, what", CASES.values(), ids=CASES)
def test_wrong_use(argv, what):
    assert what in refused(*argv)
