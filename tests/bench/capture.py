"""Rows of captures: how fast `netlog pcap` writes what it reads, beside `cat` of the same bytes, both into files in memory."""

import os
import resource
import shutil
import subprocess
import tempfile
import time

from peers import Failed

# Bytes of a record: a bulk transfer as netrecord reads it, what sockets often give, and small messages of 200 bytes.
EXPORTS = {"export-bulk": 262144, "export-16k": 16384, "export-small": 200}
ROWS = list(EXPORTS)
METRICS = [(row, "MB/s", ("least", 1 / 3 if row != "export-small" else 0)) for row in ROWS]


def note(bench, metric, peer, value):
    bench.results.setdefault((metric, peer), []).append(value)


def write_log(path, size, record):
    """One connection whose server sends `size` bytes, a client's request of 20 before each record."""
    payload = os.urandom(record)
    with open(path, "wb", buffering=1 << 20) as log:
        log.write(b"c 0.000001 con\n")
        for at in range(size // record):
            stamp = b"%d.%06d" % divmod(10 * at + 10, 1000000)
            log.write(b"c %s 20\n01234567890123456789s %s %d\n" % (stamp, stamp, record))
            log.write(payload)
        log.write(b"c 3600.000000 hup\ns 3600.000000 hup\n")


def timed(words, target):
    """Run with stdout in a new file; returns seconds, and processor time in them."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(target, "wb") as file:
        begin = time.monotonic()
        done = subprocess.run(words, stdout=file, stderr=subprocess.PIPE, check=False)
        seconds = time.monotonic() - begin
    if done.returncode != 0:
        raise Failed("%s: %s" % (words[0], done.stderr.decode().strip()))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def row_export(bench, row, folder):
    log, out = os.path.join(folder, "log_1"), os.path.join(folder, "out")
    share = 0.25 if row == "export-small" else 0.5
    write_log(log, int(bench.options.size * share), EXPORTS[row])
    size = os.path.getsize(log)
    netlog = os.path.join(os.path.abspath(bench.options.build), "netlog")
    # the first one finds the memory for the file; all write into it anew
    timed(["cat", log], out)
    for name, words in ("cat", ["cat", log]), ("netlog", [netlog, "pcap", "-w", "-", log]):
        seconds, cpu = timed(words, out)
        note(bench, row, name, size / seconds / 1e6)
        note(bench, row + " cpu", name, cpu / (size / 1e9))


def measure(bench, row):
    folder = tempfile.mkdtemp(dir=bench.options.large)
    try:
        bench.reserve.release()
        row_export(bench, row, folder)
    except Failed as failure:
        bench.remark("%s: FAILED: %s" % (row, failure))
    finally:
        shutil.rmtree(folder)
        bench.reserve.fill()


def tell(bench, number):
    print("\nCaptures (cpu: seconds a GB)\n")
    print("%-18s %-9s%10s%10s%10s  %s" % ("", "", "netlog", "cat", "ratio", ""))
    for row, unit, (_, least) in METRICS:
        for metric, what in (row, unit), (row + " cpu", "s/GB"):
            own, other = bench.median(metric, "netlog"), bench.median(metric, "cat")
            if own is None or not other:
                continue
            judged = what == unit and least
            verdict = ("at least %.2f: %s" % (least, "pass" if own / other >= least else "FAIL")) if judged else ""
            print("%-18s %-9s%10s%10s%10s  %s" % (metric, what, number(own), number(other), number(own / other), verdict))
