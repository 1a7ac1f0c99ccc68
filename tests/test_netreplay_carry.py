"""--carry: what the server hands out anew each time is sent back to it as it was handed out."""
import itertools
import os
import random

import pytest

from harness import logs
from harness.netlog import con, data, end
from harness.peers import Server
from harness.replay import at, different, duration, equal, refused
from harness.tokens import CARRY, PAGE, Tokens, Visitor


@pytest.fixture(autouse=True)
def both_backends(backend, monkeypatch):
    monkeypatch.setenv("NETRECORD_BACKEND", backend)


@pytest.fixture
def record(netrecord, logroot):
    """Record `visit(address)` at a server; by default two visits to the page after a login."""

    def visit(address):
        with Visitor(address) as visitor:
            token = visitor.login(b"anna")
            visitor.page(token)
            visitor.page(token)
            visitor.ask(b"LOGOUT %s\n" % token)

    def recorder(server, visit=visit):
        with server:
            nr = netrecord(server.address)
            visit(nr.address)
            nr.stop()
        return logroot

    return recorder


@pytest.mark.core
def test_fails_without_and_passes_with(record):
    root = record(Tokens())
    with Tokens() as server:
        found = different("-o", "json", at(server), root).differences
        begin = len(b"welcome anna, token=")
        assert begin <= found[0].offset < begin + 16  # its first digits may be the same by chance
        assert server.uses == []
        equal(*CARRY, at(server), root)
        assert len(server.uses) == 2
        # masking the token is not enough: the old one is denied
        different("-i", "token=[0-9a-f]+;", at(server), root)


@pytest.mark.core
@pytest.mark.parametrize("mask", ["token=[0-9a-f]+;", "welcome [^\\n]*", "n=[0-9a-f]+;"])
def test_masks_do_not_hide_what_is_carried(record, mask):
    root = record(Tokens())
    with Tokens() as server:
        done = equal("-i", mask, *CARRY, at(server), root)
        assert len(server.uses) == 2
    assert "carry" not in done.err and "matched nothing: " + CARRY[1] not in done.out


def test_with_against_is_refused(record):
    root = record(Tokens())
    with Tokens() as one, Tokens() as other:
        line = refused(*CARRY, "--against", at(other), at(one), root)
        assert "--carry and --against" in line and one.tokens == other.tokens == {}


@pytest.mark.parametrize("timing", ["fast", "recorded"])
@pytest.mark.parametrize("cut", [1, 10, 20, 24, 36, 37])
def test_token_split_over_two_reads(record, cut, timing):
    """Split anywhere: in front of the token, within it, behind it; recorded whole."""
    root = record(Tokens())
    with Tokens(pieces=lambda answer: [answer[:cut], answer[cut:]]) as server:
        equal("-t", timing, *CARRY, at(server), root)
        assert len(server.uses) == 2


@pytest.mark.core
def test_token_recorded_in_two_reads(record):
    root = record(Tokens(pieces=lambda answer: [answer[:25], answer[25:]]))
    log = logs.load(root, 1)
    assert [record.side for record in log.records[1:4]] == ["c", "s", "s"]
    with Tokens() as server:
        equal(*CARRY, at(server), root)
        assert len(server.uses) == 2
    with Tokens(pieces=lambda answer: [answer[i : i + 1] for i in range(len(answer))], pause=0.001) as server:
        equal(*CARRY, at(server), root)


@pytest.mark.parametrize("length", [1, 8, 15, 17, 64, 5000])
def test_token_of_other_length(record, length):
    root = record(Tokens())
    with Tokens(make=lambda: os.urandom((length + 1) // 2).hex()[:length].encode()) as server:
        equal(*CARRY, at(server), root)
        assert len(server.uses) == 2


def test_every_login_has_a_token_of_its_own(record):
    names = [b"anna", b"berta", b"carla"]

    def visit(address):
        with Visitor(address) as visitor:
            tokens = [visitor.login(name) for name in names]
            for token in tokens[::-1] + tokens:
                visitor.page(token)

    root = record(Tokens(), visit)
    with Tokens() as server:
        equal("-t", "fast", *CARRY, at(server), root)
        handed_out = list(server.tokens)
        assert [token for _, token in server.uses] == handed_out[::-1] + handed_out


@pytest.mark.parametrize("timing", ["fast", "recorded"])
@pytest.mark.parametrize("pause", [0, 0.15])
def test_token_of_one_connection_is_used_on_another(record, timing, pause):
    """Not before it has come, however long that takes; and the copies do not wait for each other."""

    def visit(address):
        with Visitor(address) as visitor:
            token = visitor.login(b"anna")
        for _ in range(2):
            with Visitor(address) as visitor:
                visitor.page(token)

    root = record(Tokens(), visit)
    with Tokens(pieces=lambda answer: [b"", answer], pause=pause) as server:
        equal("-t", timing, *CARRY, at(server), root)
        assert [number for number, _ in server.uses] == [2, 3]
        equal("-t", timing, "-c", "20", *CARRY, at(server), root)
        assert len(server.uses) == 2 * 21 and len(set(server.uses)) == 2 * 21


def test_token_of_a_connection_that_stays_open(record):
    """Both connections are there all the time; what one gets is used on the other in turn."""

    def visit(address):
        with Visitor(address) as one, Visitor(address) as other:
            for name in (b"anna", b"berta", b"carla"):
                other.page(one.login(name))
                one.page(other.login(name))

    root = record(Tokens(), visit)
    with Tokens(pieces=lambda answer: [b"", answer], pause=0.05) as server:
        for timing in ("fast", "recorded"):
            equal("-t", timing, *CARRY, at(server), root)
        assert len(server.uses) == 12


def test_one_that_hangs_does_not_hold_the_others_for_ever(record):
    """An answer that never comes is given up, and what waited for it goes on."""

    def visit(address):
        with Visitor(address) as one, Visitor(address) as other:
            one.login(b"anna")
            other.page(other.login(b"berta"))

    class Hangs(Tokens):
        def answer(self, number, word, operand):
            return b"" if operand == b"anna" else super().answer(number, word, operand)

    root = record(Tokens(), visit)
    with Hangs() as server:
        done = different("-o", "json", "--timeout", "1s", *CARRY, at(server), root)
        assert done.results == {"log_1": "failed", "log_2": "equal"}, done


def test_client_bytes_split_within_the_token(record):
    """The recorder saw the client's request in pieces; the recorded token is found nevertheless."""
    turns = [
        ("c", b"LOGIN anna\n"),
        ("s", b"welcome anna, token=0123456789abcdef;\n"),
        *(("c", b"%c" % byte) for byte in b"GET 0123456789abcdef\n"),
        ("s", PAGE),
    ]
    records = [con(), *(data(side, 0.01 * n, payload) for n, (side, payload) in enumerate(turns, 1)), end("c", 1), end("s", 1.01)]
    root = record(Tokens())
    split = root.with_name("split_1")
    split.write_bytes(b"".join(records))
    with Tokens() as server:
        equal("-t", "fast", *CARRY, at(server), split)
        assert len(server.uses) == 1


@pytest.mark.core
def test_each_copy_and_each_run_carries_its_own(record):
    root = record(Tokens())
    with Tokens() as server:
        equal(*CARRY, "-c", "4", "-n", "3", at(server), root)
        assert len(server.uses) == 2 * 4 * 3
        used = {}
        for number, token in server.uses:
            used.setdefault(number, set()).add(token)
        assert len(used) == 12 and all(len(tokens) == 1 for tokens in used.values())
        assert len(set().union(*used.values())) == 12


def test_several_patterns(record):
    """A token and a number, each carried; what looks alike but was not handed out is left alone."""

    class Numbers(Tokens):
        def __init__(self):
            self.orders = itertools.count(random.randrange(1000, 5000))
            super().__init__()

        def answer(self, number, word, operand):
            if word == b"ORDER":
                token, order = operand, b"%d" % next(self.orders)
                self.tokens[order] = token
                return b"order no. %s taken\n" % order
            if word == b"LOOKUP":
                return b"there it is\n" if operand in self.tokens else b"there is none\n"
            return super().answer(number, word, operand)

    def visit(address):
        with Visitor(address) as visitor:
            token = visitor.login(b"anna")
            order = visitor.ask(b"ORDER %s\n" % token).split()[2]
            assert visitor.ask(b"LOOKUP %s\n" % order) == b"there it is\n"
            assert visitor.ask(b"LOOKUP 17\n") == b"there is none\n"
            visitor.page(token)

    root = record(Numbers(), visit)
    with Numbers() as server:
        different(*CARRY, at(server), root)
        equal(*CARRY, "--carry", "order no\\. ([0-9]+) taken", at(server), root)


def test_recording_of_the_replay_holds_what_was_sent(record, folder):
    root = record(Tokens())
    with Tokens() as server:
        equal(*CARRY, "-r", folder / "again", at(server), root)
        (token,) = {token for _, token in server.uses}
    sent = logs.load(folder / "again", 1).bytes("c")
    assert sent.count(token) == 3
    assert (token, len(sent)) != (None, 0) and logs.load(root, 1).bytes("c") != sent


def test_answer_that_is_wrong_besides_the_token_differs(record):
    class Rude(Tokens):
        def answer(self, *words):
            return super().answer(*words).replace(b"secret page", b"SECRET page")

    root = record(Tokens())
    with Rude() as server:
        found = different("-o", "json", *CARRY, at(server), root).differences
        assert len(found) == 2 and all(each.size == 6 for each in found)
        assert len(server.uses) == 2


@pytest.mark.parametrize("pattern", ["token=[0-9]+", "(token)=([0-9]+)", "token=([0-9]*", "(x*)"])
def test_pattern_that_captures_nothing_or_is_wrong(folder, pattern):
    assert pattern in refused("--carry", pattern, "127.0.0.1:1", folder / "log").replace("\\", "")


@pytest.mark.core
def test_a_thousand_tokens(record):
    def visit(address):
        with Visitor(address) as visitor:
            for number in range(1000):
                visitor.page(visitor.login(b"name%d" % number))

    root = record(Tokens(), visit)
    assert duration(logs.load(root, 1)) < 30
    with Tokens() as server:
        equal("-t", "fast", *CARRY, at(server), root)
        assert len(server.uses) == 1000


def test_carried_text_of_a_server_that_is_something_else(record):
    """It answers without a token: told as a difference, and the rest is played."""

    def stubborn(sock, _number):
        with sock.makefile("rb") as lines:
            for line in lines:
                sock.sendall(b"no logins today\n" if line.startswith(b"LOGIN") else PAGE)

    root = record(Tokens())
    with Server(stubborn) as server:
        found = different("-o", "json", *CARRY, at(server), root).differences
        assert found[0].offset == 0
