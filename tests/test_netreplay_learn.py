"""--learn: what it learns from nginx and postgresql is enough, and no more than enough.

What may vary is found here by means of its own: the value of Date headers, process id and key of BackendKeyData, the
number of a table that the session itself creates (in the description of rows that come from it).
"""
import os
import random
import re
import struct
import time

import pytest

from harness import logs
from harness.peers import Server, connect, echo, exchange
from harness.proc import run
from harness.replay import at, different, equal, expect, first_offsets, flip, flipped, shifted
from harness.services import BARE, Nginx, Postgres, free_port


@pytest.fixture(autouse=True)
def both_backends(backend, monkeypatch):
    monkeypatch.setenv("NETRECORD_BACKEND", backend)


MTIME = 1_700_000_000


class Site(Nginx):
    """Files of the same content and time on every server."""

    def prepare(self):
        super().prepare()
        for name, size in (("empty", 0), ("small", 300), ("page", 20_000)):
            path = self.folder / "www" / name
            path.write_bytes(random.Random(name).randbytes(size))
            os.utime(path, (MTIME, MTIME))


def fetch(port):
    """Several requests on one connection, one of them for nothing there; and one on another."""
    where = f"http://127.0.0.1:{port}"
    urls = [f"{where}/{name}" for name in ("small", "missing", "page", "empty", "small")]
    done = run("curl", "-sS", "-w", "%{num_connects}", *urls, env=BARE)
    assert done.stdout.endswith(b"0") and len(done.stdout) > 20_000
    run("curl", "-sS", "-I", f"{where}/page", env=BARE)


def nginx_volatile(stream):
    """Offsets of what may vary in a recorded answer."""
    spans = [match.span(1) for match in re.finditer(rb"\r\nDate: ([^\r\n]*)\r\n", stream)]
    assert spans and all(end - begin == 29 for begin, end in spans)
    return {offset for span in spans for offset in range(*span)}


SQL = """
create table t (id int primary key, body text);
insert into t select i, repeat(chr(65 + i % 26), i) from generate_series(1, 60) i;
select id, length(body), md5(body) from t order by id;
select * from missing;
copy (select * from t where id > 50) to stdout;
drop table t;
"""


def messages(stream):
    """The messages of a postgresql server: type, where its content begins, its content."""
    offset = 0
    while offset < len(stream):
        kind, (size,) = stream[offset : offset + 1], struct.unpack_from(">I", stream, offset + 1)
        yield kind, offset + 5, stream[offset + 5 : offset + 1 + size]
        offset += 1 + size
    assert offset == len(stream)


QUERIES = """
select i, repeat(chr(65 + i % 26), i) from generate_series(1, 60) i;
select * from missing;
select relname from pg_class where relname like 'pg_class%' order by 1;
"""


def table_numbers(begin, content):
    """Where the descriptions of a row's columns hold the number of a table that a user made."""
    (count,) = struct.unpack_from(">h", content)
    at = 2
    for _ in range(count):
        at = content.index(b"\0", at) + 1
        if struct.unpack_from(">I", content, at)[0] >= 16384:  # FirstNormalObjectId
            yield from range(begin + at, begin + at + 4)
        at += 18
    assert at == len(content)


def postgres_volatile(stream):
    found = list(messages(stream))
    keys = [(begin, content) for kind, begin, content in found if kind == b"K"]
    assert [len(content) for _, content in keys] == [8]
    tables = {offset for kind, begin, content in found if kind == b"T" for offset in table_numbers(begin, content)}
    assert len(tables) in (0, 4)
    return tables | set(range(keys[0][0], keys[0][0] + 8))


class Subject:
    """A kind of server, with a recording of it and what was learned from another one."""

    def __init__(self, folder, logroot, kind, volatile):
        self.folder, self.logroot, self.kind, self.volatile = folder, logroot, kind, volatile
        self.learned = folder / "learned"
        self.servers = 0

    def fresh(self):
        self.servers += 1
        return self.kind(self.folder / f"server{self.servers}")

    def learn(self):
        with self.fresh() as server:
            done = expect(0, "--learn", self.learned, at(server), self.logroot)
        assert "ignore" in self.learned.read_text() or self.learned.stat().st_size > 0, done
        return done


@pytest.fixture
def nginx(folder, netrecord, logroot):
    subject = Subject(folder, logroot, Site, nginx_volatile)
    with subject.fresh() as server:
        nr = netrecord(server.address)
        fetch(nr.port)
        nr.stop()
    time.sleep(1.1)  # the recording's second is over
    return subject


@pytest.fixture
def postgres(folder, netrecord, logroot, request):
    subject = Subject(folder, logroot, Postgres, postgres_volatile)
    with subject.fresh() as server:
        nr = netrecord(server.address)
        server.psql(nr.port, getattr(request, "param", SQL), "-v", "ON_ERROR_STOP=0")
        nr.stop()
    return subject


@pytest.fixture(params=["nginx", "postgres"])
def subject(request):
    return request.getfixturevalue(request.param)


@pytest.mark.slow
def test_differs_without_and_is_equal_after_learning(subject):
    with subject.fresh() as server:
        found = different("-o", "json", at(server), subject.logroot).differences
        assert found
        for each in found:
            stream = logs.bytes_of(subject.logroot.with_name(each.log), "s")
            assert set(range(each.offset, each.offset + each.size)) <= subject.volatile(stream), each
    subject.learn()
    with subject.fresh() as server:
        done = equal("-I", subject.learned, "-o", "json", at(server), subject.logroot)
        expected = sum(len(log.bytes("s")) for log in logs.load_all(subject.logroot).values())
        assert done.json["summary"]["compared"] == expected
        time.sleep(1.1)
        equal("-I", subject.learned, at(server), subject.logroot)


def patterns(path):
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


@pytest.mark.slow
def test_learned_file_is_for_people(subject):
    subject.learn()
    text = subject.learned.read_text()
    assert text.isprintable() or set(text) - {c for c in text if c.isprintable()} <= {"\n"}, text
    lines = text.splitlines()
    assert 1 <= len(patterns(subject.learned)) <= 2, text
    for number, line in enumerate(lines):
        if line and not line.startswith("#"):
            assert lines[number - 1].startswith("#"), "a pattern without a comment that says where it was seen"


@pytest.mark.slow
@pytest.mark.parametrize("postgres, count", [(QUERIES, 1), (SQL, 2)], indirect=["postgres"], ids=["queries", "table"])
def test_nothing_is_learned_but_what_varies(postgres, count):
    """The keys; and the number of the table, if the session makes one."""
    postgres.learn()
    keys, *table = patterns(postgres.learned)
    assert keys == r"K\x00\x00\x00\x0c(.|\n){8}"
    assert len(table) == count - 1 and all(re.fullmatch(r"[^()]{8,}\(\.\|\\n\)\{4\}", line) for line in table)


@pytest.mark.slow
def test_learning_again_with_what_was_learned_finds_nothing_new(subject):
    subject.learn()
    again = subject.folder / "again"
    with subject.fresh() as server:
        expect(0, "--learn", again, "-I", subject.learned, "-n", "2", at(server), subject.logroot)
    assert not again.exists() or patterns(again) == []


@pytest.mark.parametrize(
    "subject, count",
    [("nginx", 40), *(pytest.param(*case, marks=pytest.mark.slow) for case in [("nginx", 600), ("postgres", 40), ("postgres", 600)])],
    indirect=["subject"],
)
def test_every_flipped_byte_is_found_at_its_offset(subject, count):
    subject.learn()
    seed = random.randrange(1 << 32)
    print("seed", seed)
    root = subject.folder / "flipped"
    wanted = flipped(root, list(logs.load_all(subject.logroot).values()), count, seed, subject.volatile)
    with subject.fresh() as server:
        done = different("-I", subject.learned, "-t", "fast", "-o", "json", at(server), root, patience=600)
    assert first_offsets(done) == wanted, f"seed {seed}"
    assert set(done.results.values()) == {"different"}
    # where the changed byte is not next to what varies it is the only one
    alone = [connection for connection in done.connections.values() if connection["differences"] == 1]
    assert len(alone) > count / 2


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 2, 7])
def test_inserted_bytes_beside_what_varies_are_found(nginx, length):
    """Not swallowed by a mask that reaches too far: before, within and behind a date."""
    nginx.learn()
    with nginx.fresh() as server:
        log = logs.load(nginx.logroot, 1)
        for place in (b"Date: ", b" GMT\r\n", b"GMT\r\nContent-Type"):
            changed = nginx.folder / "changed"
            where = {b"Date: ": 0, b" GMT\r\n": 4, b"GMT\r\nContent-Type": 3}[place]

            def insert(side, data):
                at = data.find(place) + where
                return data if side == "c" or place not in data else data[:at] + b"x" * length + data[at:]

            changed.write_bytes(b"".join(shifted(log, 0.0, insert)))
            assert changed.read_bytes() != log
            different("-I", nginx.learned, at(server), changed)


KEYS = [b"\n" * 8, b"\0" * 8, b"\xff" * 8, b"ZI\0\0\0\x05\n\n", b"K\0\0\0\x0c\n.\r", bytes(range(8)), b"\n\r\n\r\\x0a"]


@pytest.mark.slow
def test_any_key_is_covered_by_what_was_learned(postgres):
    """A server that hands out the keys that a pattern is most likely to miss."""
    postgres.learn()
    log = logs.load(postgres.logroot, 1)
    where = min(postgres_volatile(log.bytes("s")))

    def server(key):
        answers, taken = [], 0
        for record in log.records:
            if record.kind == "data" and record.side == "s":
                piece = bytearray(record.data)
                if taken <= where < taken + len(piece):
                    piece[where - taken : where - taken + 8] = key
                taken += len(record.data)
                answers.append(bytes(piece))
            elif record.kind == "data":
                answers.append(len(record.data))
        return answers

    def serve(sock, number):
        for step in server(KEYS[(number - 1) % len(KEYS)]):
            if isinstance(step, bytes):
                sock.sendall(step)
            else:
                got = 0
                while got < step:
                    piece = sock.recv(step - got)
                    if not piece:
                        return
                    got += len(piece)

    with Server(serve) as playing:
        equal("-I", postgres.learned, "-t", "fast", "-n", len(KEYS), at(playing), postgres.logroot)
        for key in KEYS:
            # and as the recorded one
            changed = postgres.folder / "changed"
            offset, content = 0, []
            for record in log.records:
                piece = record.data
                if record.kind == "data" and record.side == "s":
                    if offset <= where < offset + len(piece):
                        piece = piece[: where - offset] + key + piece[where - offset + 8 :]
                    offset += len(record.data)
                content.append((record, piece))
            pieces = iter([piece for record, piece in content if record.kind == "data"])
            changed.write_bytes(b"".join(shifted(log, 0.0, lambda side, data: next(pieces))))
            equal("-I", postgres.learned, "-t", "fast", at(playing), changed)


# -- what --learn does at all --


def counter(sock, number):
    """An answer with a number of its own, and a digit that never changes."""
    while request := sock.recv(1000):
        assert request == b"ask\n"
        sock.sendall(b"order 7 of client %d: id=%08x;\n" % (number, number * 2654435761 % (1 << 32)))


@pytest.fixture
def asked(folder, netrecord, logroot):
    """The recording of a session with counter()."""
    with Server(counter) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            for _ in range(3):
                sock.sendall(b"ask\n")
                assert sock.recv(1000).endswith(b";\n")
        nr.stop()
    return logroot


@pytest.mark.slow
def test_ids_and_counters(folder, asked):
    learned = folder / "learned"
    with Server(counter) as server:
        server.accepted = 4  # one digit, then two of them
        expect(0, "--learn", learned, "-n", "8", at(server), asked)
        assert server.accepted >= 12
        equal("-I", learned, at(server), asked)
        # the constant digit was not learned
        log = logs.load(asked, 1)
        changed = folder / "changed"
        changed.write_bytes(flip(log, log.bytes("s").index(b"7"), 1))
        (found,) = different("-I", learned, "-o", "json", at(server), changed).differences
        assert (found.offset, found.size) == (6, 1)


@pytest.mark.slow
def test_runs_are_spread_over_more_than_a_second(folder, asked):
    times = []

    def note(sock, number):
        times.append(time.monotonic())
        return counter(sock, number)

    with Server(note) as server:
        expect(0, "--learn", folder / "learned", at(server), asked)
    assert len(times) == 3
    assert times[-1] - times[0] > 1


def test_nothing_to_learn(folder, netrecord, logroot):
    """From a server that always answers the same: a file without a pattern, or none; and exit 0."""
    with Server(echo) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            sock.sendall(b"ask\n")
            assert sock.recv(10) == b"ask\n"
        nr.stop()
        expect(0, "--learn", folder / "learned", "-n", "2", at(server), logroot)
        assert not (folder / "learned").exists() or patterns(folder / "learned") == []


def test_answers_that_are_random_cannot_be_learned(folder, asked):
    """Nothing narrow covers them, and that is said; it is not success."""

    def rubbish(sock, _number):
        while sock.recv(1000):
            sock.sendall(os.urandom(random.randrange(20, 60)))

    with Server(rubbish) as server:
        done = expect(1, "--learn", folder / "learned", "-n", "2", at(server), asked)
    assert "log_1" in done.err + done.out, done


def test_what_can_be_learned_is_written_beside_what_cannot(folder, netrecord, logroot):
    def half(sock, _number):
        while request := sock.recv(1000):
            assert request in (b"number\n", b"rubbish\n")
            if request == b"number\n":
                sock.sendall(b"the number=%06d;\n" % random.randrange(10**6))
            else:
                sock.sendall(os.urandom(random.randrange(20, 60)))

    learned = folder / "learned"
    with Server(half) as server:
        nr = netrecord(server.address)
        with connect(nr.address) as sock:
            for request in (b"number\n", b"rubbish\n", b"number\n"):
                sock.sendall(request)
                assert sock.recv(1000)
        nr.stop()
        done = expect(1, "--learn", learned, "-n", "2", at(server), logroot)
        # random bytes may look like a field at first, and like another one with every run
        assert int(re.search(r"cannot learn from .*log_1 at offset (\d+)", done.err)[1]) >= 19 and "learned" in done.err, done
        assert [line for line in patterns(learned) if line.endswith("number=[0-9]{6}")], learned.read_text()
        found = different("-I", learned, "-o", "json", at(server), logroot).differences
    assert min(each.offset for each in found) >= 19


def test_what_shows_more_with_every_run_is_named(folder, netrecord, logroot):
    """In the n-th connection the n-th field differs."""

    def changing(sock, number):
        assert sock.recv(100) == b"ask\n"
        sock.sendall(b"".join(b"the %c field=%d;\n" % (97 + n, n == number - 2) for n in range(12)))

    learned = folder / "learned"
    with Server(changing) as server:
        nr = netrecord(server.address)
        assert exchange(nr.address, b"ask\n").startswith(b"the a field=0;\n")
        nr.stop()
        done = expect(1, "--learn", learned, "-n", "2", at(server), logroot)
    assert f"cannot learn from {logroot}_1 at offset {6 * 15 + 12}: every run shows more" in done.err, done
    assert "7 runs, 1 differences left" in done.err, done
    assert len(patterns(learned)) == 7


def test_server_that_is_not_there_teaches_nothing(folder, asked):
    expect(2, "--learn", folder / "learned", f"127.0.0.1:{free_port()}", asked)
    assert not (folder / "learned").exists()
