"""netlog html: the page, in a real browser that logs what the page asks of the network and the console."""
import json
import re

import pytest

from harness.browser import Browser
from harness.netlog import SAMPLE, con, data, end, entry, good, peak, run, write
from harness.peers import Server, connect, echo, recv_exactly
from harness.proc import wait_until

ROOM = 4096  # KiB that a large log may need more than a small one
KEY_ENTER = "\ue007"
HOSTILE = (
    b"</script><script>window.ran = 1</script><img src=x onerror='window.ran = 2'><!--<script>"
    b"<svg onload='window.ran = 3'>\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xae${window.ran = 4}\"'`\\"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture
def show(browser, folder):
    """Have a page made of logs and open it. Afterwards, nothing but that file was asked for, and the console is empty."""
    browser.requests(), browser.log("browser")
    pages = []

    def open_page(*args, status=0):
        page = folder / f"page{len(pages)}.html"
        with open(page, "wb") as out:
            result = run("html", *args, stdout=out)
        assert result.returncode == status, result
        browser.get(page)
        browser.dark(False)
        wait_until(lambda: browser.run("return document.documentElement.dataset.ready === 'yes'"), "the page has run")
        wait_until(lambda: browser.data("frames"), "the timeline is drawn")
        pages.append(page)
        return result.stderr.decode()

    yield open_page
    assert browser.log("browser") == []
    asked = {url for url in browser.requests() if not url.startswith(("chrome:", "chrome-untrusted:", "data:"))}
    assert asked == {page.as_uri() for page in pages}


def recording(page):
    """The JSON in a page."""
    (text,) = re.findall(r'<script type="application/json" id="recording">(.*?)</script>', page, re.S)
    return json.loads(text)


def rows(browser):
    """The rows of the list that are elements of the page."""
    return browser.texts("#list .row")


def row_count(browser):
    """All of them, by the height of what is scrolled."""
    return browser.run("return document.querySelector('#list .sheet').clientHeight / 22")


def choose(browser, record):
    """Click on a record in the list."""
    browser.click(f"#list .row[data-record='{record}']")


def shown(browser):
    """The lines of the bytes, without their offsets."""
    return browser.run(
        "return [...document.querySelectorAll('#bytes .row')].sort((a, b) => a.dataset.index - b.dataset.index)"
        ".map(row => [...row.childNodes].slice(1).map(n => n.textContent).join(''))"
    )


def search(browser, text, kind="text"):
    browser.run(
        "const kind = document.getElementById('search-kind'); kind.value = arguments[0];"
        "kind.dispatchEvent(new Event('change'));", kind
    )
    browser.type("#search-text", text)
    wait_until(lambda: browser.run("return document.getElementById('search').dataset.query") == text, "the search is done")


def test_lanes_and_records(browser, show, folder):
    for n in (1, 2, 3):
        write(folder / f"log_{n}")
    show(folder / "log")
    assert browser.data("lanes") == "3"
    assert browser.data("drawn") == str(3 * len(SAMPLE))
    assert "3 connections" in browser.text("#summary") and "24 records" in browser.text("#summary")
    assert row_count(browser) == 24
    browser.run("document.activeElement.blur()")
    browser.keys("\ue015")  # arrow down: only the first connection
    assert row_count(browser) == len(rows(browser)) == 8
    first = [" ".join(row.split()) for row in rows(browser)]
    assert first[0].startswith("0.100000") and "opened" in first[0]
    assert first[2] == "0.250000 #1 ◂s 7 50.00 ms +PONG\\r\\n"
    browser.click("#tab-slow")
    assert "500.00 ms" in browser.text("#responses")
    assert "500.00 ms" in rows(browser)[0]


def test_bytes_as_text_and_hex(browser, show, folder):
    payload = "grüß\r\n".encode() + bytes(range(16)) + b"\xff\xfe end"
    show(write(folder / "log_1", [con(), data("c", 1, b"ask"), data("s", 1.25, payload), end("s", 2, "err")]))
    choose(browser, 2)
    browser.keys("t")
    assert shown(browser) == ["grüß\\r\\n", r"\0\x01\x02\x03\x04\x05\x06\x07\x08\t\n", r"\x0b\x0c\r\x0e\x0f\xff\xfe end"]
    title = browser.text("#record-title")
    assert f"{len(payload)} bytes" in title and "after 250.00 ms" in title and "at 1.250000" in title
    browser.keys("x")
    lines = shown(browser)
    assert bytes.fromhex("".join(line[:49] for line in lines)) == payload
    assert lines[0].endswith("gr....." + ".........") and lines[1].endswith(" end")
    browser.keys("j")
    assert "failed" in browser.text("#record-title")
    browser.keys("kk")
    assert browser.data("selected") == "1"
    browser.keys("t")
    assert shown(browser) == ["ask"]


def test_hover_and_click_in_the_timeline(browser, show, folder):
    show(write(folder / "log_1", [con(), data("c", 1, b"question"), data("s", 2, b"answer"), end("c", 3)]))
    assert browser.run("return document.getElementById('silence').getAttribute('aria-pressed')") == "false"
    place = browser.run(
        "const box = document.getElementById('timeline').getBoundingClientRect(), d = document.getElementById('timeline').dataset,"
        "gutter = Math.round(Math.min(250, box.width / 4)), at = t => box.left + gutter + (t - d.from) / (d.to - d.from) * (box.width - gutter);"
        "return [at(1e6), at(2e6), box.top]"
    )
    browser.pointer(("move", place[0] + 2, place[2] + 100))
    assert "8 bytes" in browser.text("#tooltip") and "question" in browser.text("#tooltip")
    browser.pointer(("move", place[1] + 2, place[2] + 130), "down", "up")
    assert browser.data("selected") == "2"
    assert shown(browser) == ["answer"]
    browser.pointer(("move", place[0] - 60, place[2] + 100))
    assert browser.run("return document.getElementById('tooltip').hidden")


def test_search(browser, show, folder):
    text = [con(), data("c", 1, b"first Needle"), data("s", 2, b"no"), data("c", 3, b"nee"), data("c", 4, b"dle, \x00\xff\x01 NEEDLE")]
    show(write(folder / "log_1", text))
    search(browser, "needle")
    assert browser.text("#search-count") == "3 found"
    assert [int(r) for r in browser.run("return [...document.querySelectorAll('#list .row')].map(r => r.dataset.record)")] == [1, 3, 4]
    # the second match spans two records: both are marked
    browser.type("#search-text", "needle" + KEY_ENTER)
    browser.run("document.activeElement.blur()")
    browser.keys("n")
    wait_until(lambda: browser.text("#search-count") == "2 of 3", "the second match is chosen")
    assert browser.data("selected") == "3"
    assert browser.texts("#bytes mark") == ["nee"]
    browser.keys("j")
    assert browser.texts("#bytes mark") == ["dle", "NEEDLE"]
    browser.keys("N")
    assert browser.text("#search-count") == "1 of 3"
    search(browser, "needle", "exact")
    wait_until(lambda: browser.text("#search-count") == "1 found", "lower case only")
    search(browser, "00 ff01", "hex")
    wait_until(lambda: browser.text("#search-count") == "1 found", "hex is found")
    search(browser, r"\x00\xff", "text")
    wait_until(lambda: browser.text("#search-count") == "1 found", "escapes are understood")
    search(browser, "0xf", "hex")
    wait_until(lambda: "hex digits" in browser.text("#search-count"), "half a byte is refused")
    search(browser, "absent")
    wait_until(lambda: browser.text("#search-count") == "0 found", "nothing is found")


def test_recorded_code_does_not_run(browser, show, folder):
    name = "a<img src=x onerror='window.ran=5'><script>window.ran=6<\\script>_1"
    log = write(folder / name, [con(), data("c", 1, HOSTILE), data("s", 2, HOSTILE)])
    (folder / f"{name[:-2]}_index.jsonl").write_text(
        entry(1, "2026-11-21T03:00:00.000000Z", 0.0, log=name, client="</script><script>window.ran=7</script>", end="<b>x</b>")
    )
    show(log)
    choose(browser, 1)
    browser.keys("t")
    assert "</script><script>window.ran = 1</script><img src=x onerror=" in "".join(shown(browser))
    assert r"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xae${window.ran" in "".join(shown(browser))
    search(browser, "<svg onload")
    wait_until(lambda: browser.text("#search-count") == "2 found", "the code is found as text")
    browser.pointer(("move", 700, 200))
    assert browser.run("return window.ran ?? null") is None
    assert browser.run("return document.images.length + document.querySelectorAll('svg, b > b, main b script').length") == 0
    assert browser.run("return document.scripts.length") == 2


def test_page_forbids_what_it_does_not_need(browser, folder):
    page = folder / "page.html"
    page.write_text(good("html", write(folder / "log_1")).replace("<main", "<script>window.ran = 1</script><main"))
    browser.get(page)
    wait_until(lambda: browser.run("return document.documentElement.dataset.ready === 'yes'"), "the page has run")
    assert browser.run("return window.ran ?? null") is None
    assert browser.run("try { document.body.innerHTML = '<b>x</b>'; } catch (error) { return error.name; }") == "TypeError"
    assert browser.run("return fetch('http://127.0.0.1:9/').catch(error => error.name)") == "TypeError"
    refused = " ".join(line["message"] for line in browser.log("browser"))
    assert "script-src" in refused and "TrustedHTML" in refused and "default-src 'none'" in refused
    browser.requests()


def test_ten_thousand_records(browser, show, folder):
    for n in range(1, 41):
        turns = [[data("c", i + n / 100, b"request %d" % i), data("s", i + n / 100 + 0.004, b"answer %d" % i * (i % 50))] for i in range(125)]
        write(folder / f"log_{n}", [con(n / 100), *sum(turns, []), end("c", 126), end("s", 126)])
    show(folder / "log")
    assert "40 connections" in browser.text("#summary") and "10,120 records" in browser.text("#summary")
    assert browser.data("lanes") == "40"
    assert browser.run("return document.querySelectorAll('*').length") < 700
    before = [float(browser.data(name)) for name in ("from", "to")]
    frames = int(browser.data("frames"))
    browser.wheel(800, 200, -2500)
    wait_until(lambda: int(browser.data("frames")) > frames, "it is drawn again")
    after = [float(browser.data(name)) for name in ("from", "to")]
    assert before[0] < after[0] < after[1] < before[1] and after[1] - after[0] < (before[1] - before[0]) / 100
    assert 0 < int(browser.data("drawn")) < 1000
    frames = int(browser.data("frames"))
    browser.pointer(("move", 800, 200), "down", ("move", 700, 200), "up")
    wait_until(lambda: int(browser.data("frames")) > frames, "it is drawn again")
    assert float(browser.data("from")) > after[0]
    browser.keys("0")
    wait_until(lambda: float(browser.data("to")) == before[1], "all is in sight again")
    search(browser, "request 124")
    wait_until(lambda: browser.text("#search-count") == "40 found", "all are found")
    browser.run("document.getElementById('list').scrollTop = 1e9")
    wait_until(lambda: any("#40" in row for row in rows(browser)[-1:]), "the list's end is there")


def test_long_silences_are_drawn_short(browser, show, folder):
    bursts = [[data("c", t + i, b"?"), data("s", t + i + 0.5, b"!")] for t in (10, 4000, 90000) for i in range(5)]
    show(write(folder / "log_1", [con(10), *sum(bursts, []), end("c", 90010)]))
    pressed = "return document.getElementById('silence').getAttribute('aria-pressed')"
    span = lambda: (float(browser.data("to")) - float(browser.data("from"))) / 1e6
    assert browser.run(pressed) == "true"
    assert 15 < span() < 60
    browser.keys("s")
    assert browser.run(pressed) == "false"
    wait_until(lambda: 90000 < span() < 100000, "all is drawn at length")
    choose(browser, 4)
    browser.keys("z")
    wait_until(lambda: span() < 5, "the record is drawn near")
    assert int(browser.data("drawn")) > 0


def test_odd_times(browser, show, folder):
    show(write(folder / "log_1", b"c -1.1000000 con\nc 9000000000.000000 3\nabcs 1.000000 2\nxyc 9000000000.000001 hup\n"))
    assert "4 records" in browser.text("#summary")
    choose(browser, 2)
    assert shown(browser) == ["xy"]
    for key in "z++++++++s-0":
        frames = int(browser.data("frames"))
        browser.keys(key)
        wait_until(lambda: int(browser.data("frames")) > frames, "it is drawn again")


def test_dark(browser, show, folder):
    ground = "return getComputedStyle(document.body).backgroundColor"
    pixel = (
        "const from = document.getElementById('timeline'), to = new OffscreenCanvas(1, 1).getContext('2d');"
        "to.drawImage(from, 5, from.height - 3, 1, 1, 0, 0, 1, 1); return [...to.getImageData(0, 0, 1, 1).data]"
    )
    show(write(folder / "log_1"))
    light, drawn = browser.run(ground), browser.run(pixel)
    browser.dark()
    wait_until(lambda: browser.run(pixel) != drawn, "the timeline is drawn dark")
    assert browser.run(ground) != light
    assert max(browser.run(pixel)[:3]) < 64 < 192 < min(drawn[:3])


def test_damaged_and_empty_logs(browser, show, folder):
    write(folder / "log_1", [con(), b"c 1.000000 10\n12345"])
    write(folder / "log_2", b"this is no log")
    write(folder / "log_3", b"")
    write(folder / "log_4", [con(), data("c", 1, b"whole")])
    told = show(folder / "log", status=1)
    assert len(told.splitlines()) == 2 and "log_1: byte 34: cut short" in told and "log_2: byte 0:" in told
    notices = browser.texts("#notices p")
    assert [notice for notice in notices if "log_1: byte 34" in notice] and [notice for notice in notices if "log_2: byte 0" in notice]
    assert browser.data("lanes") == "4"
    choose(browser, 2)
    assert shown(browser) == ["12345"]
    assert "Of 10 bytes, the first 5" in browser.text("#record-note")
    assert show(write(folder / "empty_1", b"")) == ""
    assert "no records" in browser.text("#notices")
    assert rows(browser) == []
    assert show(write(folder / "mute_1", [con()])) == ""
    assert len(rows(browser)) == 1


def test_what_is_left_out_is_told(browser, show, folder):
    log = write(folder / "log_1", [con(), data("c", 1, b"x" * 100), data("s", 2, b"y" * 100), data("c", 3, b"z" * 100), end("c", 4)])
    told = show("--per-record", 60, "--total", 100, "--records", 4, log)
    assert told == "netlog: left out of the page: 1 of 5 records, 200 of 300 bytes (--records, --per-record, --total)\n"
    assert "1 of 5 records, 200 of 300 bytes" in browser.text("#notices")
    choose(browser, 1)
    assert "".join(shown(browser)) == "x" * 60
    assert "Of 100 bytes, the first 60" in browser.text("#record-note")
    choose(browser, 2)
    assert "".join(shown(browser)) == "y" * 40
    choose(browser, 3)
    assert shown(browser) == []
    result = run("html", "-q", "--total", 100, log)
    assert (result.returncode, result.stderr) == (0, b"")


def test_real_recording(browser, show, netrecord, logroot):
    with Server(echo) as server:
        nr = netrecord(server.address)
        for i in range(5):
            with connect(nr.address) as sock:
                sock.sendall(b"hello %d\r\n" % i)
                recv_exactly(sock, 9)
        nr.stop()
    assert show(logroot) == ""
    assert browser.data("lanes") == "5"
    assert "5 connections" in browser.text("#summary") and "from 20" in browser.text("#summary")
    search(browser, "hello 3")
    assert browser.text("#search-count") == "2 found"


@pytest.mark.core
def test_recording_in_the_page(folder):
    payload = bytes(range(256)) + HOSTILE
    write(folder / "log_1", [con(0.5), data("c", 1, payload), data("s", 1.25, b""), data("s", 1.5, b"x"), end("s", 2, "err")])
    found = recording(good("html", folder / "log_1"))
    assert found["records"][1][:4] == [0, 2, 500000, len(payload)]
    assert [row[:4] for row in found["records"]] == [[0, 0, 0, 0], [0, 2, 500000, len(payload)], [0, 3, 750000, 0], [0, 3, 1000000, 1], [0, 7, 1500000, 0]]
    assert found["records"][3][5] == 500000
    assert (found["base"], found["wall"]) == (500000, False)
    (folder / "log_index.jsonl").write_text(entry(1, "2026-11-21T03:00:00.000000Z", 0.5))
    found = recording(good("html", folder / "log"))
    assert (found["base"], found["wall"]) == (1795230000000000, True)
    assert (found["lanes"][0]["client"], found["lanes"][0]["shift"]) == ("192.0.2.1:40001", 1795229999500000)


def test_bounds_hold_memory_and_page(folder):
    log = folder / "log_1"
    with open(log, "wb") as out:
        out.write(con())
        for i in range(3):
            out.write(data("s", i, bytes(40 << 20)))
    _, memory = peak("html", write(folder / "small_1"))
    status, large_memory = peak("html", log)
    assert status == 0 and large_memory < memory + ROOM
    page = run("html", log)
    assert len(page.stdout) < 2 << 20 and b"125042688 of 125829120 bytes" in page.stderr
