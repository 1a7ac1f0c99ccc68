"""Rows of netreplay: how late it sends what is due, beside a process that only sleeps until then; how fast it goes, beside
redis-benchmark."""

import glob
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import tempfile

from peers import Failed, free_port, listening, wait_for

ROWS = ["replay", "replay-fast"]
CONNECTIONS = 200        # of the recording whose times are kept
RATE = 1000              # requests a second, of all of them
APART = 5000             # microseconds between two of one connection, at least
FAST_CONNECTIONS = 50    # what redis-benchmark uses too unless it is told otherwise
FAST_REQUESTS = 3000     # of each
SET = (b"SET", b"key:__rand_int__", b"VXK")

# Metric, unit, whom it is compared with, and the target: for the value itself, or for the ratio.
METRICS = [
    ("replay late p50", "us", "sleeping", ("most", 100, "absolute")),
    ("replay late p99", "us", "sleeping", ("most", 1.5)),
    ("replay drift", "us", None, ("most", 100, "absolute")),
    ("replay at -S 10, twice", "s", "recorded", ("most", 1.02)),
    ("replay-fast", "req/s", "redis-benchmark", ("least", 0.9)),
]


def note(bench, metric, peer, value):
    bench.results.setdefault((metric, peer), []).append(value)


def stamp(microseconds):
    return b"%d.%06d" % divmod(microseconds, 1000000)


def write_log(path, begin, turns, end):
    """A log: turns are (time, request, answer), answered 100 us later."""
    records = [b"c %s con\n" % stamp(begin)]
    for time, request, answer in turns:
        records.append(b"c %s %d\n%s" % (stamp(time), len(request), request))
        records.append(b"s %s %d\n%s" % (stamp(time + 100), len(answer), answer))
    records += [b"c %s hup\n" % stamp(end), b"s %s hup\n" % stamp(end + 50)]
    with open(path, "wb") as log:
        log.write(b"".join(records))


def message(client, sequence):
    return (b"R %d %d " % (client, sequence)).ljust(63, b".") + b"\n"


def record_overlapping(root, seconds):
    """Connections that are open all the time and ask at random; returns {request: its time}."""
    chance = random.Random(CONNECTIONS)
    times = {}
    for client in range(CONNECTIONS):
        turns, time = [], client * 100 + APART
        while True:
            time += APART + int(chance.expovariate(RATE / CONNECTIONS) * 1000000)
            if time > seconds * 1000000:
                break
            request = message(client, len(turns))
            turns.append((time, request, b"A" + request[1:]))
            times[request] = time
        write_log("%s_%d" % (root, client + 1), client * 100, turns, int(seconds * 1000000) + 10000 + client)
    return times


HEADER = re.compile(rb"([cs]) (\d+)\.(\d{6}) (con|hup|err|\d+)\n")


def sent(path):
    """What the client did in a log: (time in microseconds, bytes, or None for con)."""
    with open(path, "rb") as log:
        text = log.read()
    at, found = 0, []
    while at < len(text):
        header = HEADER.match(text, at)
        if header is None:
            raise Failed("%s: no record at byte %d" % (path, at))
        side, seconds, microseconds, what = header.groups()
        time, at = int(seconds) * 1000000 + int(microseconds), header.end()
        size = int(what) if what.isdigit() else 0
        if side == b"c" and (size or what == b"con"):
            found.append((time, text[at : at + size] or None))
        at += size
    return found


def latenesses(root, times):
    """Microseconds that each request was late, in order of their times; from the first connection's beginning on."""
    events = [event for path in glob.glob(root + "_[0-9]*") for event in sent(path)]
    begin = min(time for time, _ in events)
    late = {data: time - begin - times[data] for time, data in events if data is not None}
    if len(late) != len(times):
        raise Failed("%d requests were sent, %d recorded" % (len(late), len(times)))
    return [late[data] for data in sorted(times, key=times.get)]


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def netreplay(bench, *words):
    """Run it, its report being the result."""
    done = subprocess.run([os.path.join(os.path.abspath(bench.options.build), "netreplay"), "-o", "json", *map(str, words)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Failed("netreplay: status %d: %s" % (done.returncode, (done.stderr or done.stdout)[:300]))
    return json.loads(done.stdout)["summary"]


def row_replay(bench, folder):
    seconds = bench.options.replay_seconds
    times = record_overlapping(os.path.join(folder, "log"), seconds)
    deadlines = os.path.join(folder, "deadlines")
    with open(deadlines, "w", encoding="ascii") as file:
        file.writelines("%d\n" % time for time in sorted(times.values()))
    server = subprocess.Popen([bench.load, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        where = "127.0.0.1:" + server.stdout.readline().strip()
        sleeper = subprocess.Popen([bench.load, "sleep", deadlines], stdout=subprocess.PIPE, text=True)
        try:
            netreplay(bench, "-r", os.path.join(folder, "again"), where, os.path.join(folder, "log"))
        finally:
            bare = json.loads(sleeper.communicate()[0])
        fast = netreplay(bench, "-S", 10, "-n", 2, where, os.path.join(folder, "log"))
    finally:
        server.stdin.close()
        server.wait()
    late = latenesses(os.path.join(folder, "again"), times)
    tenth = len(late) // 10
    note(bench, "replay late p50", "netreplay", percentile(late, 0.50))
    note(bench, "replay late p99", "netreplay", percentile(late, 0.99))
    note(bench, "replay late p50", "sleeping", bare["p50"])
    note(bench, "replay late p99", "sleeping", bare["p99"])
    note(bench, "replay drift", "netreplay", statistics.median(late[-tenth:]) - statistics.median(late[:tenth]))
    note(bench, "replay at -S 10, twice", "netreplay", fast["duration"])
    note(bench, "replay at -S 10, twice", "recorded", seconds * 2 / 10)


def redis_benchmark(port):
    done = subprocess.run(["redis-benchmark", "-p", str(port), "-c", str(FAST_CONNECTIONS), "-n", str(FAST_CONNECTIONS * FAST_REQUESTS),
                           "-P", "1", "--csv", *(word.decode() for word in SET)], stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.splitlines()[-1].split(",")[1].strip('"'))


def row_replay_fast(bench, folder):
    for program in ("redis-server", "redis-benchmark"):
        if shutil.which(program) is None:
            raise Failed("%s is not installed (apt-get install redis)" % program)
    request = b"*%d\r\n" % len(SET) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in SET)
    end = FAST_REQUESTS * 500
    for client in range(FAST_CONNECTIONS):
        turns = [(1000 + client + n * 500, request, b"+OK\r\n") for n in range(FAST_REQUESTS)]
        write_log(os.path.join(folder, "log_%d" % (client + 1)), client, turns, end + 2000 + client)
    port = free_port()
    server = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                               "--dir", folder], stdout=subprocess.DEVNULL)
    try:
        wait_for("redis-server", lambda: listening(port), server)
        before = redis_benchmark(port)
        summary = netreplay(bench, "-t", "fast", "127.0.0.1:%d" % port, os.path.join(folder, "log"))
        # before and behind: what else the machine does changes with time
        note(bench, "replay-fast", "redis-benchmark", (before + redis_benchmark(port)) / 2)
        note(bench, "replay-fast", "netreplay", FAST_CONNECTIONS * FAST_REQUESTS / summary["duration"])
    finally:
        server.terminate()
        server.wait()


def measure(bench, row):
    """One measurement, in a folder of its own."""
    folder = tempfile.mkdtemp(dir=bench.options.folder)
    try:
        (row_replay if row == "replay" else row_replay_fast)(bench, folder)
    except Failed as failure:
        bench.remark("netreplay, %s: FAILED: %s" % (row, failure))
    finally:
        shutil.rmtree(folder)


def tell(bench, number):
    """The table: medians, ratios, targets."""
    print("\nReplay: %d connections for %g s (%d requests/s), and %d at once as fast as they go\n"
          % (CONNECTIONS, bench.options.replay_seconds, RATE, FAST_CONNECTIONS))
    print("%-24s %-6s%10s%10s%8s  %-16s %s" % ("", "", "netreplay", "other", "ratio", "other is", "target"))
    for metric, unit, other, target in METRICS:
        got, base = bench.median(metric, "netreplay"), bench.median(metric, other)
        if got is None:
            continue
        ratio = got / base if base else None
        value = got if len(target) == 3 else ratio
        met = value is not None and (value >= target[1] if target[0] == "least" else value <= target[1])
        print("%-24s %-6s%10s%10s%8s  %-16s at %s %g%s: %s"
              % (metric, unit, number(got), number(base), number(ratio), other or "-", target[0], target[1],
                 " " + unit if len(target) == 3 else "", "pass" if met else "FAIL"))
