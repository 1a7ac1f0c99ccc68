"""netreplay --serve: recordings written by hand play the server."""
import signal
import socket
import time

import pytest

from harness import logs
from harness.netlog import con, data, end
from harness.peers import Many, connect, dribble, exchange, pattern, recv_all, recv_exactly, recv_until_end, reset
from harness.proc import run
from harness.serve import NETREPLAY, ask, dialog, refused, write_logs

PING = dialog(("c", b"PING\r\n"), ("s", b"+PONG\r\n"))


def get(key, value):
    return dialog(("c", b"GET %s\r\n" % key), ("s", b"%s\r\n" % value))



@pytest.mark.core
def test_one_log_and_its_end(serve, logroot):
    server = serve("-t", "fast", write_logs(logroot, PING))
    ask(server.address, ("c", b"PING\r\n"), ("s", b"+PONG\r\n"))
    server.ends(0)


def test_logs_in_any_order_of_clients(serve, logroot):
    keys = [b"k%d" % n for n in range(8)]
    server = serve("-t", "fast", write_logs(logroot, *(get(key, key * 3) for key in keys)))
    for key in keys[::-1][:4] + keys[:4]:
        ask(server.address, ("c", b"GET %s\r\n" % key), ("s", key * 3 + b"\r\n"))
    server.ends(0)


def test_equal_requests_get_the_logs_in_recorded_order(serve, logroot):
    server = serve("-t", "fast", write_logs(logroot, *(get(b"k", b"%d" % n) for n in range(5))))
    for n in range(5):
        ask(server.address, ("c", b"GET k\r\n"), ("s", b"%d\r\n" % n))
    server.ends(0)


@pytest.mark.core
def test_many_clients_at_once(serve, logroot):
    server = serve("-t", "fast", write_logs(logroot, *(get(b"k%d" % n, b"v%d" % n) for n in range(300))))
    Many(lambda n: ask(server.address, ("c", b"GET k%d\r\n" % n), ("s", b"v%d\r\n" % n)), 300).run()
    server.ends(0)


@pytest.mark.core
def test_request_byte_by_byte_and_pipelined(serve, logroot):
    log = dialog(("c", b"ONE\r\n"), ("s", b"1\r\n"), ("c", b"TWO\r\n"), ("s", b"2\r\n"))
    server = serve("-t", "fast", "-n", "2", write_logs(logroot, log))
    with connect(server.address) as sock:
        dribble(sock, b"ONE\r\nTWO\r\n")
        assert recv_exactly(sock, 6) == b"1\r\n2\r\n"
    assert exchange(server.address, b"ONE\r\nTWO\r\n") == b"1\r\n2\r\n"
    server.ends(0)


def test_no_answer_before_its_request(serve, logroot):
    log = dialog(("c", b"ONE\r\n"), ("s", b"1\r\n"), ("c", b"TWO\r\n"), ("s", b"2\r\n"))
    server = serve("-t", "fast", write_logs(logroot, log))
    with connect(server.address) as sock:
        for request, answer in ((b"ONE\r\n", b"1\r\n"), (b"TWO\r\n", b"2\r\n")):
            sock.sendall(request[:-1])
            sock.settimeout(0.3)
            with pytest.raises(TimeoutError):
                sock.recv(1)
            sock.settimeout(30)
            sock.sendall(request[-1:])
            assert recv_exactly(sock, 3) == answer
    server.ends(0)


# -- the server speaks first --

GREETING = b"220 mail ESMTP\r\n"


def mail(sender, greeting=GREETING):
    return dialog(
        *(("s", greeting), ("c", b"EHLO me\r\n"), ("s", b"250 ok\r\n")),
        *(("c", b"MAIL FROM:<%s>\r\n" % sender), ("s", b"250 %s\r\n" % sender)),
        *(("c", b"QUIT\r\n"), ("s", b"221 bye\r\n")),
    )


def send_mail(sock, sender, greeting=GREETING):
    assert recv_exactly(sock, len(greeting)) == greeting
    sock.sendall(b"EHLO me\r\n")
    assert recv_exactly(sock, 8) == b"250 ok\r\n"
    sock.sendall(b"MAIL FROM:<%s>\r\n" % sender)
    assert recv_exactly(sock, len(sender) + 6) == b"250 %s\r\n" % sender
    sock.sendall(b"QUIT\r\n")
    assert recv_exactly(sock, 9) == b"221 bye\r\n"


@pytest.mark.core
@pytest.mark.parametrize("timing", ["fast", "recorded"])
def test_server_first_narrowed_by_what_follows(serve, logroot, timing):
    senders = [b"a@x", b"bb@x", b"ccc@x"]
    server = serve("-t", timing, write_logs(logroot, *(mail(sender) for sender in senders)))
    for sender in senders[::-1]:
        with connect(server.address) as sock:
            send_mail(sock, sender)
    server.ends(0)


def test_server_first_clients_greeted_together_change_places(serve, logroot):
    senders = [b"a@x", b"bb@x", b"ccc@x", b"dddd@x"]
    server = serve("-t", "fast", write_logs(logroot, *(mail(sender) for sender in senders)))
    socks = [connect(server.address) for _ in senders]
    for sock in socks:  # each has a log now
        assert sock.recv(len(GREETING), socket.MSG_PEEK | socket.MSG_WAITALL) == GREETING
    for sock, sender in zip(socks, senders[::-1]):
        send_mail(sock, sender)
        sock.close()
    server.ends(0)


def test_client_first_is_not_greeted(serve, logroot):
    """Both kinds in one recording: a client that speaks at once gets its answer, a silent one the greeting."""
    server = serve("-t", "fast", write_logs(logroot, PING, mail(b"a@x")))
    with connect(server.address) as silent:
        send_mail(silent, b"a@x")
    ask(server.address, ("c", b"PING\r\n"), ("s", b"+PONG\r\n"))
    server.ends(0)


@pytest.mark.core
def test_second_request_decides(serve, logroot):
    """Dialogs that begin alike, as those of one client program do."""
    hello = (("c", b"HELLO 3\r\n"), ("s", b"+v7\r\n"))
    names = [b"one", b"two", b"three"]
    server = serve(
        *("-t", "fast"),
        write_logs(logroot, *(dialog(*hello, ("c", b"GET %s\r\n" % n), ("s", b"%s\r\n" % n)) for n in names)),
    )
    for name in names[::-1]:
        ask(server.address, *hello, ("c", b"GET %s\r\n" % name), ("s", b"%s\r\n" % name))
    server.ends(0)


# -- ends --


def test_client_that_sends_nothing(serve, logroot):
    server = serve("-t", "fast", write_logs(logroot, dialog()))
    ask(server.address)
    server.ends(0)


def test_client_that_sends_nothing_takes_no_log_with_bytes(serve, logroot):
    server = serve("-t", "fast", write_logs(logroot, PING))
    for _ in range(3):
        ask(server.address)
    ask(server.address, ("c", b"PING\r\n"), ("s", b"+PONG\r\n"))
    server.ends(0)


def test_server_that_only_sends(serve, logroot):
    server = serve("-t", "fast", write_logs(logroot, [con(), data("s", 0.1, b"Sat\r\n"), end("s", 0.2), end("c", 0.3)]))
    with connect(server.address) as sock:
        assert recv_all(sock) == b"Sat\r\n"
    server.ends(0)


@pytest.mark.core
def test_half_close_by_the_client(serve, logroot):
    log = [con(), data("c", 0.1, b"sum\n"), end("c", 0.2), data("s", 0.3, b"total\n"), end("s", 0.4)]
    server = serve("-t", "fast", write_logs(logroot, log))
    with connect(server.address) as sock:
        sock.sendall(b"sum\n")
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(1)  # its cause is the client's end
        sock.settimeout(30)
        sock.shutdown(socket.SHUT_WR)
        assert recv_all(sock) == b"total\n"
    server.ends(0)


@pytest.mark.core
def test_half_close_by_the_server(serve, logroot):
    log = [con(), data("c", 0.1, b"go\n"), data("s", 0.2, b"gone\n"), end("s", 0.3), data("c", 0.4, b"late\n"), end("c", 0.5)]
    server = serve("-t", "fast", write_logs(logroot, log))
    with connect(server.address) as sock:
        sock.sendall(b"go\n")
        assert recv_all(sock) == b"gone\n"
        assert server.alive
        sock.sendall(b"late\n")
    server.ends(0)


@pytest.mark.core
def test_recorded_reset_behind_all_bytes(serve, logroot):
    body = bytes(range(256)) * 4096
    server = serve("-t", "fast", write_logs(logroot, [con(), data("c", 0.1, b"go\n"), data("s", 0.2, body), end("s", 0.3, "err")]))
    with connect(server.address) as sock:
        sock.sendall(b"go\n")
        got, how = recv_until_end(sock)
    assert how == "reset" and got == body
    server.ends(0)


@pytest.mark.core
def test_client_resets_as_recorded(serve, logroot):
    log = dialog(("c", b"PING\r\n"), ("s", b"+PONG\r\n"), client_end="err", server_end=None)
    server = serve("-t", "fast", write_logs(logroot, log))
    sock = connect(server.address)
    sock.sendall(b"PING\r\n")
    assert recv_exactly(sock, 7) == b"+PONG\r\n"
    reset(sock)
    server.ends(0)


def test_log_without_an_end(serve, logroot):
    """The recorder was killed: the server ends where the log does."""
    log = dialog(("c", b"PING\r\n"), ("s", b"+PONG\r\n"), client_end=None, server_end=None)
    server = serve("-t", "fast", write_logs(logroot, log))
    with connect(server.address) as sock:
        sock.sendall(b"PING\r\n")
        assert recv_all(sock) == b"+PONG\r\n"
    server.ends(0)


@pytest.mark.core
def test_large_bodies_both_ways(serve, logroot):
    up, down = bytes(range(251)) * 20000, bytes(range(241)) * 20000
    records = [con()]
    records += [data("c", 0.1, up[at : at + 65536]) for at in range(0, len(up), 65536)]
    records += [data("s", 0.2, down[at : at + 65536]) for at in range(0, len(down), 65536)]
    server = serve("-t", "fast", write_logs(logroot, [*records, end("c", 0.3), end("s", 0.3)]))
    with connect(server.address) as sock:
        sock.sendall(up)
        assert recv_exactly(sock, len(down)) == down
    server.ends(0)


# -- departures --


JSON = ("-t", "fast", "-o", "json", "--timeout", "0.5")


def test_departure_in_the_first_request(serve, logroot):
    server = serve(*JSON, write_logs(logroot, get(b"apple", b"1")))
    exchange(server.address, b"GET apfel\r\n")
    assert server.departures() == [("log_1", 6, 3, 6, 3)]


def test_departure_is_still_answered(serve, logroot):
    turns = [("c", b"AUTH alpha secret\r\n"), ("s", b"+OK\r\n"), ("c", b"GET some-long-key-name\r\n"), ("s", b"value\r\n")]
    server = serve(*JSON, write_logs(logroot, dialog(*turns)))
    ask(server.address, ("c", b"AUTH other secret\r\n"), *turns[1:])
    assert server.departures() == [("log_1", 5, 5, 5, 5)]


def test_longer_request_is_still_answered(serve, logroot):
    turns = [("c", b"AUTH alpha secret\r\n"), ("s", b"+OK\r\n"), ("c", b"GET some-long-key-name\r\n"), ("s", b"value\r\n")]
    server = serve(*JSON, write_logs(logroot, dialog(*turns)))
    ask(server.address, ("c", b"AUTH the-alpha secret\r\n"), *turns[1:])
    assert server.departures() == [("log_1", 5, 0, 5, 4)]


@pytest.mark.core
def test_departure_in_a_later_request(serve, logroot):
    turns = [("c", b"ONE one one one one\r\n"), ("s", b"1\r\n"), ("c", b"TWO two two two two\r\n"), ("s", b"2\r\n")]
    server = serve(*JSON, write_logs(logroot, dialog(*turns)))
    ask(server.address, *turns[:2], ("c", b"TWO tWo two two two\r\n"), turns[3])
    assert server.departures() == [("log_1", 26, 1, 26, 1)]


@pytest.mark.parametrize("at", [0, 1, 1000, 65535, 65536, 70000, 199_999])
def test_departure_anywhere_in_a_long_request(serve, logroot, at):
    request = bytes(range(250)) * 800
    server = serve(*JSON, write_logs(logroot, dialog(("c", request), ("s", b"done"))))
    changed = request[:at] + bytes([request[at] ^ 1]) + request[at + 1 :]
    exchange(server.address, changed)
    assert server.departures() == [("log_1", at, 1, at, 1)]


def test_the_closest_log_is_told(serve, logroot):
    server = serve(*JSON, write_logs(logroot, get(b"apple", b"1"), get(b"banana", b"2"), get(b"cherry", b"3")))
    exchange(server.address, b"GET banane\r\n")
    for key, value in ((b"apple", b"1"), (b"cherry", b"3")):
        ask(server.address, ("c", b"GET %s\r\n" % key), ("s", value + b"\r\n"))
    assert server.departures(3) == [("log_2", 9, 1, 9, 1)]


def test_request_beyond_the_log(serve, logroot):
    server = serve(*JSON, write_logs(logroot, PING))
    with connect(server.address) as sock:
        sock.sendall(b"PING\r\n")
        assert recv_exactly(sock, 7) == b"+PONG\r\n"
        sock.sendall(b"PING\r\n")
        assert recv_until_end(sock)[0] == b""
    assert server.departures() == [("log_1", 6, 0, 6, 6)]


def test_client_that_sends_less_and_waits(serve, logroot):
    server = serve("-t", "fast", "--timeout", "0.3", write_logs(logroot, PING))
    with connect(server.address) as sock:
        sock.sendall(b"PIN")
        assert recv_until_end(sock)[0] == b""
    report = server.ends(1)
    assert "3 bytes" in report, report


def test_client_that_ends_early(serve, logroot):
    server = serve(*JSON, write_logs(logroot, PING))
    assert exchange(server.address, b"PIN") == b""
    assert server.departures() == [("log_1", 3, 3, 3, 0)]


def test_client_that_never_ends(serve, logroot):
    server = serve("-t", "fast", "--timeout", "0.3", write_logs(logroot, PING))
    with connect(server.address) as sock:
        sock.sendall(b"PING\r\n")
        assert recv_all(sock) == b"+PONG\r\n"
    assert "has not ended" in server.ends(1)


def test_client_that_does_not_read(serve, logroot):
    log = [con(), data("c", 0.1, b"go\n"), *(data("s", 0.2, bytes(65536)) for _ in range(400)), end("c", 0.3), end("s", 0.3)]
    server = serve("-t", "fast", "--timeout", "0.5", write_logs(logroot, log))
    with connect(server.address, rcvbuf=4096) as sock:
        sock.sendall(b"go\n")
        assert "read nothing" in server.ends(1)


@pytest.mark.core
def test_client_gone_before_its_answer(serve, logroot):
    log = [con(), data("c", 0.1, b"go\n"), *(data("s", 0.2, bytes(65536)) for _ in range(400)), end("c", 0.3), end("s", 0.3)]
    server = serve("-t", "fast", write_logs(logroot, log))
    sock = connect(server.address, rcvbuf=4096)
    sock.sendall(b"go\n")
    recv_exactly(sock, 1)
    reset(sock)
    assert "closed the connection" in server.ends(1)


def test_silent_client_is_given_up(serve, logroot):
    server = serve("-t", "fast", "--timeout", "0.3", write_logs(logroot, PING))
    with connect(server.address) as sock:
        assert recv_until_end(sock)[0] == b""
    ask(server.address, ("c", b"PING\r\n"), ("s", b"+PONG\r\n"))
    assert "sent nothing" in server.ends(1)


def test_one_client_too_many(serve, logroot):
    server = serve("-t", "fast", write_logs(logroot, PING))
    with connect(server.address) as first:
        first.sendall(b"PING\r\n")
        assert recv_exactly(first, 7) == b"+PONG\r\n"
        assert exchange(server.address, b"PING\r\n") == b""
    assert "no log is left" in server.ends(1)


# -- masks, comparison --


@pytest.mark.core
def test_masks_cover_what_varies(serve, logroot):
    log = dialog(("c", b"id=0123456789 op=read\r\n"), ("s", b"ok\r\n"), ("c", b"id=0123456789 op=stop\r\n"), ("s", b"bye\r\n"))
    server = serve("-t", "fast", "-i", "id=[0-9]+", write_logs(logroot, log))
    ask(
        server.address,
        *(("c", b"id=42 op=read\r\n"), ("s", b"ok\r\n")),
        *(("c", b"id=99887766554433 op=stop\r\n"), ("s", b"bye\r\n")),
    )
    server.ends(0)


def test_masks_choose_among_logs(serve, logroot):
    requests = [b"id=1 op=read\r\n", b"id=2 op=stop\r\n"]
    made = [dialog(("c", r), ("s", r[5:])) for r in requests]
    server = serve("-t", "fast", "-i", "id=[0-9]+", write_logs(logroot, *made))
    ask(server.address, ("c", b"id=777 op=stop\r\n"), ("s", b"op=stop\r\n"))
    ask(server.address, ("c", b"id=1 op=read\r\n"), ("s", b"op=read\r\n"))
    server.ends(0)


def test_bytes_beyond_the_mask_still_count(serve, logroot):
    log = dialog(("c", b"id=0123456789 op=read\r\n"), ("s", b"ok\r\n"))
    server = serve(*JSON, "-i", "id=[0-9]+", write_logs(logroot, log))
    exchange(server.address, b"id=42 op=reed\r\n")
    assert server.departures() == [("log_1", 19, 1, 11, 1)]


@pytest.mark.parametrize("compare, payload, status", [("size", b"XXXX\r\n", 0), ("size", b"XXX\r\n", 1), ("none", b"XXXX\r\n", 0)])
def test_compare(serve, logroot, compare, payload, status):
    server = serve("-t", "fast", "-C", compare, write_logs(logroot, PING))
    with connect(server.address) as sock:
        sock.sendall(payload)
        sock.shutdown(socket.SHUT_WR)
        assert recv_all(sock) == (b"+PONG\r\n" if status == 0 else b"")
    server.ends(status)


# -- timing --

SLOW = [con(), data("c", 0.1, b"a"), data("s", 0.4, b"1"), data("s", 0.7, b"2"), end("c", 0.8), end("s", 1.1)]


def timed(address):
    """When the bytes and the end came, since the request."""
    with connect(address) as sock:
        began = time.monotonic()
        sock.sendall(b"a")
        times = []
        for expected in (b"1", b"2"):
            assert sock.recv(1) == expected
            times.append(time.monotonic() - began)
        ended = time.monotonic()
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
        return [*times, time.monotonic() - ended]


def test_recorded_timing_is_kept_from_the_cause_on(serve, logroot):
    server = serve(write_logs(logroot, SLOW))
    first, second, last = timed(server.address)
    assert first >= 0.3 and second >= 0.6 and last >= 0.3
    server.ends(0)


def test_speed_and_gaps(serve, logroot):
    """Never earlier than told, and a great deal earlier than recorded."""
    log = [con(), data("c", 0.1, b"a"), data("s", 400.1, b"1"), data("s", 400.2, b"2"), end("c", 401), end("s", 1001)]
    for option, least in (("--speed=10000", 0.04), ("--max-gap=0.05", 0.05), ("--timing=fast", 0)):
        server = serve(option, write_logs(logroot, log))
        first, _, last = timed(server.address)
        assert first >= least and last >= least
        server.ends(0)


def test_a_client_may_think_as_long_as_recorded(serve, logroot):
    log = [con(), data("c", 0.1, b"ONE\n"), data("s", 0.2, b"1\n"), data("c", 1.5, b"TWO\n"), data("s", 1.6, b"2\n"), end("c", 2), end("s", 2)]
    server = serve("-t", "fast", "--timeout", "0.2", write_logs(logroot, log))
    with connect(server.address) as sock:
        sock.sendall(b"ONE\n")
        assert recv_exactly(sock, 2) == b"1\n"
        time.sleep(0.7)
        sock.sendall(b"TWO\n")
        assert recv_exactly(sock, 2) == b"2\n"
    server.ends(0)


# -- rounds, signals, the rest --


def test_loop(serve, logroot):
    server = serve("-t", "fast", "-n", "3", write_logs(logroot, get(b"k", b"1"), get(b"k", b"2")))
    for n in range(6):
        ask(server.address, ("c", b"GET k\r\n"), ("s", b"%d\r\n" % (n % 2 + 1)))
    server.ends(0)


def test_loop_for_ever(serve, logroot):
    server = serve("-t", "fast", "--loop", "0", write_logs(logroot, PING))
    for _ in range(50):
        ask(server.address, ("c", b"PING\r\n"), ("s", b"+PONG\r\n"))
    assert server.alive
    server.signal(signal.SIGTERM)
    server.ends(0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_signal_with_nothing_played(serve, logroot, number):
    server = serve(write_logs(logroot, PING))
    server.signal(number)
    server.ends(2)


def test_signal_before_all_is_played(serve, logroot):
    server = serve("-t", "fast", write_logs(logroot, PING, PING))
    ask(server.address, ("c", b"PING\r\n"), ("s", b"+PONG\r\n"))
    server.signal(signal.SIGTERM)
    report = server.ends(1)
    assert "log_2" in report


@pytest.mark.core
def test_term_waits_for_the_dialog_under_way(serve, logroot):
    log = dialog(("c", b"ONE\r\n"), ("s", b"1\r\n"), ("c", b"TWO\r\n"), ("s", b"2\r\n"))
    server = serve("-t", "fast", write_logs(logroot, log))
    with connect(server.address) as sock:
        sock.sendall(b"ONE\r\n")
        assert recv_exactly(sock, 3) == b"1\r\n"
        server.signal(signal.SIGTERM)
        server.wait_said("waiting for 1 connection")
        sock.sendall(b"TWO\r\n")
        assert recv_exactly(sock, 3) == b"2\r\n"
    server.ends(0)


@pytest.mark.core
def test_interrupt_ends_a_dialog_under_way(serve, logroot):
    log = dialog(("c", b"ONE\r\n"), ("s", b"1\r\n"), ("c", b"TWO\r\n"), ("s", b"2\r\n"))
    server = serve("-t", "fast", write_logs(logroot, log))
    with connect(server.address) as sock:
        sock.sendall(b"ONE\r\n")
        assert recv_exactly(sock, 3) == b"1\r\n"
        server.signal(signal.SIGINT)
        assert recv_until_end(sock)[0] == b""
    server.ends(1)


@pytest.mark.core
def test_record_what_is_served(serve, logroot, folder):
    server = serve("-t", "fast", "-r", folder / "again", write_logs(logroot, PING, mail(b"a@x")))
    ask(server.address, ("c", b"PING\r\n"), ("s", b"+PONG\r\n"))
    with connect(server.address) as sock:
        send_mail(sock, b"a@x")
    server.ends(0)
    for n in (1, 2):
        for side in "cs":
            assert logs.load(folder / "again", n).bytes(side) == logs.load(logroot, n).bytes(side)
        assert logs.load(folder / "again", n).ends() == ["c hup", "s hup"]


def test_bytes_that_could_not_be_recorded(serve, logroot, folder):
    long = dialog(("c", b"PING\r\n"), ("s", pattern(1, 0, 50_000)))
    words = ["-t", "fast", "-r", folder / "again", write_logs(logroot, long)]
    server = serve(*words, wrap=["prlimit", "--fsize=20000"])
    ask(server.address, ("c", b"PING\r\n"), ("s", pattern(1, 0, 50_000)))
    server.ends(1)
    assert "what follows is lost" in server.stderr
    assert pattern(1, 0, 50_000).startswith(logs.load(folder / "again", 1).bytes("s"))


def test_bind_and_unix_socket(serve, logroot, folder):
    server = serve("-t", "fast", "-b", "127.0.0.1", write_logs(logroot, PING))
    assert server.said("listening on 127.0.0.1:")
    ask(server.address, ("c", b"PING\r\n"), ("s", b"+PONG\r\n"))
    server.ends(0)
    server = serve("-t", "fast", logroot, port=f"unix:{folder}/sock")
    ask(str(folder / "sock"), ("c", b"PING\r\n"), ("s", b"+PONG\r\n"))
    server.ends(0)


def test_damaged_log_among_good_ones(serve, logroot):
    write_logs(logroot, PING, [b"no record\n"])
    server = serve("-t", "fast", logroot)
    ask(server.address, ("c", b"PING\r\n"), ("s", b"+PONG\r\n"))
    assert "log_2" in server.ends(1)


def test_log_cut_by_a_kill(serve, logroot):
    records = b"".join(dialog(("c", b"PING\r\n"), ("s", b"+PONG\r\n"), client_end=None, server_end=None))
    logroot.with_name("log_1").write_bytes(records[:-3])
    server = serve("-t", "fast", logroot)
    with connect(server.address) as sock:
        sock.sendall(b"PING\r\n")
        assert recv_all(sock) == b"+PON"
    server.ends(0)


def test_wrong_usage(logroot, folder):
    write_logs(logroot, PING)
    assert "no log" in refused("--serve", "0", folder / "nothing")
    assert "port" in refused("--serve")
    assert "log" in refused("--serve", "0")
    assert "nonsense" in refused("--serve", "nonsense", logroot)
    assert "--server" in refused("--serve", "--server", "true", "0", logroot)
    for words in (["-c", "2"], ["--shard", "1/2"], ["--fail-if", "p99>1s"], ["--carry", "id=(.)"]):
        assert "client side" in refused("--serve", *words, "0", logroot), words
    assert "--bind" in refused("--bind", "127.0.0.1", "127.0.0.1", "1", logroot)
    assert "--loop" in refused("--loop", "0", "127.0.0.1", "1", logroot)


def test_nothing_that_can_be_played(serve, logroot, folder):
    (folder / "log_1").write_bytes(b"")
    assert run(NETREPLAY, "--serve", "0", logroot, check=False).returncode == 2


HELLO = b"\x16\x03\x01\x00\x50\x01\x00\x00\x4c\x03\x03" + bytes(70)
SERVER_HELLO = b"\x16\x03\x03\x00\x04\x02\x00\x00\x00"


@pytest.mark.parametrize("plain", [(), (("s", b"220 hi\r\n"), ("c", b"STARTTLS\r\n"), ("s", b"220 go\r\n"))])
def test_recording_of_tls_is_told(logroot, plain):
    write_logs(logroot, dialog(*plain, ("c", HELLO), ("s", SERVER_HELLO)))
    done = run(NETREPLAY, "--serve", "0", logroot, check=False)
    assert done.returncode == 2 and b"TLS" in done.stdout + done.stderr


def test_all_logs_served_while_others_wait(serve, logroot):
    """Open connections that never ask for anything do not keep it from ending."""
    server = serve("-t", "fast", "--timeout", "20", write_logs(logroot, PING))
    with connect(server.address) as idle:
        ask(server.address, ("c", b"PING\r\n"), ("s", b"+PONG\r\n"))
        server.ends(0)
        assert recv_until_end(idle)[0] == b""
