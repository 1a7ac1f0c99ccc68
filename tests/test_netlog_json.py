"""netlog json: one object a record."""
import base64
import json
import os

import pytest

from harness.netlog import SAMPLE, con, data, end, good, run, write

pytestmark = pytest.mark.core


def objects(*args, **options):
    return [json.loads(line) for line in good("json", *args, **options).splitlines()]


def test_objects(folder):
    log = write(folder / "log_7", [con(0.1), data("c", 0.25, b"\0\xff"), data("s", 1, b""), end("s", 2.5, "err"), end("c", 3)])
    name = str(log)
    assert objects(log) == [
        {"log": name, "n": 7, "side": "c", "time": 0.1, "type": "con"},
        {"log": name, "n": 7, "side": "c", "time": 0.25, "type": "data", "size": 2, "data": "AP8="},
        {"log": name, "n": 7, "side": "s", "time": 1, "type": "data", "size": 0, "data": ""},
        {"log": name, "n": 7, "side": "s", "time": 2.5, "type": "err"},
        {"log": name, "n": 7, "side": "c", "time": 3, "type": "hup"},
    ]
    assert '"time":0.100000,' in good("json", log)


def test_negative_times_of_2010(folder):
    log = write(folder / "log_1", b"c -1.100000 con\nc -1.1000000 hup\n")
    assert [o["time"] for o in objects(log)] == [-0.9, 0]


@pytest.mark.parametrize("size", [*range(0, 13), 4095, 4096, 4097, 70000, 131071, 131072, 131073, 1000003])
def test_payload_comes_back_whole(folder, size):
    payload = os.urandom(size)
    log = write(folder / "log_1", [con(), data("s", 1, payload), data("c", 2, payload[::-1])])
    _, one, other = objects(log)
    assert (base64.b64decode(one["data"], validate=True), one["size"]) == (payload, size)
    assert base64.b64decode(other["data"], validate=True) == payload[::-1]


@pytest.mark.parametrize("name", [b'quote"back\\slash_1', b"new\nline\t_1", b"\x1b\x7f_1", b"\xff\xfe_1", "é\u009b€😀_1".encode()])
def test_any_name_is_a_json_string_in_ascii(folder, name):
    path = os.path.join(os.fsencode(folder), name)
    with open(path, "wb") as log:
        log.write(con())
    (line,) = good("json", path.decode("utf-8", "surrogateescape")).splitlines()
    assert json.loads(line)["log"].encode("utf-8", "surrogateescape") == path


def test_record_that_is_cut_is_still_an_object(folder):
    log = write(folder / "log_1", [con(), b"c 1.000000 10\n12345"])
    result = run("json", log)
    assert result.returncode == 1
    last = json.loads(result.stdout.splitlines()[-1])
    assert (last["size"], base64.b64decode(last["data"])) == (10, b"12345")
