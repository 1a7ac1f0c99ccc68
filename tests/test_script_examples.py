"""The scripts of docs/examples, each with its real client."""
import http.server
import json
import re
import shutil
import socket
import subprocess
import threading
from contextlib import ExitStack, contextmanager

import pytest

from harness import logs
from harness.cookbook import blocks
from harness.peers import Server, connect, dribble, recv_all, recv_until_end
from harness.proc import TOP, run, wait_until
from harness.replay import at, different, equal
from harness.script import EXAMPLES, example, place, scripted  # pylint: disable=unused-import
from harness.scripted import Scripted, recording
from harness.serve import write_logs
from harness.services import BARE, GitDaemon, Redis, accepts, free_port
from harness.services_more import certificate


def curl(*words, check=True):
    """What curl prints; it must get something unless told otherwise."""
    done = run("curl", "-sS", "--max-time", "30", *words, env=BARE, check=check)
    return done.stdout if check else done


def closes(nr, logroot, count):
    """The close events of so many connections."""
    wait_until(lambda: len(logs.closed(logroot)) >= count, f"{count} connections are closed")
    nr.stop()
    return logs.closed(logroot)


def web(name):
    """A web server for one request a connection, which answers with its name and the path."""

    def serve(sock, _number):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = sock.recv(4096)
            if not piece:
                return head
            head += piece
        path = head.split(b" ", 2)[1]
        body = name + b" has " + path
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
        sock.shutdown(socket.SHUT_WR)
        recv_all(sock)
        return head

    return Server(serve)


# -- git --


@pytest.fixture
def daemons(folder):
    """Two git daemons, of alice and of bob, with a project each."""
    with ExitStack() as stack:
        found = {}
        for user in ("alice", "bob"):
            daemon = stack.enter_context(GitDaemon(folder / user))
            daemon.git("clone", "-q", "--bare", daemon.folder / "tree", daemon.folder / user / "project.git")
            found[user] = daemon
        yield found


def test_git_router(example, daemons, folder, logroot):
    nr = example(
        "git_router.lua",
        {"git1.example.com:9418": daemons["alice"].address, "git2.example.com:9418": daemons["bob"].address},
    )
    for user, daemon in daemons.items():
        copy = folder / f"copy-{user}"
        daemon.git("clone", "-q", f"git://127.0.0.1:{nr.port}/{user}/project.git", copy)
        daemon.git("fsck", "--full", "--strict", cwd=copy)
        heads = {daemon.git("rev-parse", "main", cwd=where).stdout for where in (copy, daemon.folder / "tree")}
        assert len(heads) == 1
        (copy / "more").write_text(user)
        daemon.git("add", "more", cwd=copy)
        daemon.git("commit", "-q", "-m", "more", cwd=copy)
        daemon.git("push", "-q", "origin", "main", cwd=copy)
        pushed = daemon.git("show", "main:more", cwd=daemon.folder / user / "project.git").stdout
        assert pushed == user.encode()
    done = run("git", "clone", "-q", f"git://127.0.0.1:{nr.port}/mallory/project.git", folder / "x", env=BARE, check=False)
    assert done.returncode != 0 and b"no such user on this server" in done.stderr
    events = closes(nr, logroot, 5)
    assert [e["server"] for e in events.values()] == [place(daemons[u].address) for u in ("alice", "alice", "bob", "bob")] + [""]


def test_git_router_byte_by_byte(example, daemons):
    nr = example(
        "git_router.lua",
        {"git1.example.com:9418": daemons["alice"].address, "git2.example.com:9418": daemons["bob"].address},
    )
    with connect(nr.address) as sock:
        line = b"git-upload-pack /bob/project.git\0host=example\0"
        dribble(sock, b"%04x%s" % (4 + len(line), line), 0.001)
        head = daemons["bob"].git("rev-parse", "main", cwd=daemons["bob"].folder / "tree").stdout.strip()
        assert sock.recv(4 + len(head))[4:] == head


# -- SOCKS4 --


def test_socks4(example, logroot):
    with web(b"the web") as server:
        nr = example("socks4.lua", {})
        url = "http://%s:%d/page" % server.address
        assert curl("--socks4", place(nr.address), url) == b"the web has /page"
        url = "http://localhost:%d/named" % server.address[1]
        assert curl("--socks4a", place(nr.address), url) == b"the web has /named"
        refused = curl("--socks4", place(nr.address), "http://127.0.0.1:%d/" % free_port(), check=False)
        assert refused.returncode != 0
        with connect(nr.address) as sock:
            sock.sendall(b"\x05\x01\x00" + bytes(10))
            assert recv_until_end(sock) == (b"\0\x5b" + bytes(6), "fin")
        closes(nr, logroot, 4)
        assert len(server.wait_results(2)) == 2
    log = logs.load(logroot, 1)
    assert log.records[1].data == b"\0\x5a" + bytes(6)
    assert log.bytes("c").startswith(b"GET /page HTTP/1.1\r\n")
    assert log.bytes("s").endswith(b"the web has /page")


# -- TLS and HTTP --


@contextmanager
def tls_server(folder, name):
    """openssl s_server, which serves the file `page`: the server's name."""
    folder = folder / name
    folder.mkdir()
    cert, key = certificate(folder)
    (folder / "page").write_text(name)
    port = free_port()
    words = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert, "-key", key, "-WWW", "-quiet"]
    with subprocess.Popen(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            wait_until(lambda: accepts(port), "s_server listens")
            yield ("127.0.0.1", port)
        finally:
            child.kill()


def test_tls_by_server_name(example, folder, logroot):
    with tls_server(folder, "www") as www, tls_server(folder, "api") as api:
        nr = example("tls_sni.lua", {"10.0.0.1:443": www, "10.0.0.2:443": api})
        for name, host in ((b"www", "WWW.example.com"), (b"api", "api.example.com")):
            for options in ((), ("--tls-max", "1.2")):
                to = f"{host}:443:{place(nr.address)}"
                assert curl("-k", "--http1.0", *options, "--connect-to", to, f"https://{host}/page") == name
        other = curl("-k", "--connect-to", f"other.example:443:{place(nr.address)}", "https://other.example/", check=False)
        assert other.returncode == 35 and b"unrecognized name" in other.stderr.replace(b"_", b" ")
        plain = curl(f"http://{place(nr.address)}/", check=False)
        assert plain.returncode != 0
        with connect(nr.address) as sock:  # a hello whose parts claim to be longer than it
            sock.sendall(b"\x16\x03\x01\0\x2f\x01\0\0\x2b\x03\x03" + bytes(32) + b"\xff" * 9)
            assert recv_until_end(sock) == (b"\x15\x03\x03\0\x02\x02\x70", "fin")
        events = closes(nr, logroot, 7)
        assert ".lua:" not in nr.stderr
    assert [e["server"] for e in events.values()] == [place(www)] * 2 + [place(api)] * 2 + [""] * 3


def test_http_by_host(example, logroot):
    with web(b"www") as www, web(b"api") as api:
        nr = example("http_host.lua", {"10.0.0.1:80": www.address, "10.0.0.2:80": api.address})
        url = f"http://{place(nr.address)}/page"
        assert curl("-H", "Host: WWW.example.com", url) == b"www has /page"
        assert curl("-H", "Host: api.example.com:8080", url) == b"api has /page"
        assert curl("-H", "Host: other.example", "-o", "/dev/null", "-w", "%{http_code}", url) == b"421"
        with connect(nr.address) as sock:
            dribble(sock, b"GET /slow HTTP/1.1\r\nAccept: */*\r\nhost:api.example.com\r\n\r\n", 0.001)
            assert recv_all(sock).endswith(b"api has /slow")
        closes(nr, logroot, 4)


def test_tenants_from_a_file(example, folder, logroot):
    with web(b"app1") as one, web(b"app2") as two:
        nr = example("tenants.lua", {"app1.example.com:8080": one.address, "app2.example.com:8080": two.address})
        base = f"http://{place(nr.address)}"
        assert curl(f"{base}/alice/x") == b"app1 has /alice/x"
        assert curl(f"{base}/bob") == b"app2 has /bob"
        assert curl("-o", "/dev/null", "-w", "%{http_code}", f"{base}/carol/") == b"404"
        with (folder / "tenants.txt").open("a") as table:
            table.write(f"carol {place(two.address)}\n")
        nr.signal(1)
        nr.wait_said("loaded anew")
        assert curl(f"{base}/carol/") == b"app2 has /carol/"
        closes(nr, logroot, 4)


# -- sessions --


class Staging(http.server.BaseHTTPRequestHandler):
    """Gives a session cookie at /login, and knows by it who asks at any other path."""

    protocol_version = "HTTP/1.1"
    sessions = {}

    def do_POST(self):
        user = self.rfile.read(int(self.headers["Content-Length"])).decode()
        cookie = f"staging{len(self.sessions) + 1}"
        self.sessions[cookie] = user
        self.answer(200, "hello", ("Set-Cookie", f"session={cookie}; Path=/"))

    def do_GET(self):
        cookies = dict(each.strip().split("=", 1) for each in (self.headers["Cookie"] or "").split(";") if "=" in each)
        user = self.sessions.get(cookies.get("session"))
        body = json.dumps({"user": user, "cookies": cookies})
        self.answer(200 if user else 403, body)

    def answer(self, status, body, *headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for header in headers:
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def staging():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Staging)
    server.daemon_threads = True
    Staging.sessions.clear()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address
    server.shutdown()
    server.server_close()


def test_session_cookie(example, staging, logroot):
    """Requests with production's cookies are staging's sessions, on the connection of the login and on others."""
    nr = example("session_cookie.lua", {}, target=staging)
    base = f"http://{place(nr.address)}"

    def login_and_look(user, cookie):
        both = ["-d", user, f"{base}/login", "-o", "/dev/null", "--next", "-sS", "-b", cookie, f"{base}/private"]
        return json.loads(curl(*both))

    unknown = curl("-b", "session=prodA", "-o", "/dev/null", "-w", "%{http_code}", f"{base}/private")
    assert unknown == b"403"
    assert login_and_look("anna", "a=1; session=prodA; b=2") == {
        "user": "anna", "cookies": {"a": "1", "session": "staging1", "b": "2"},
    }
    assert login_and_look("ben", "session=prodB")["user"] == "ben"
    for cookie, user in (("prodA", "anna"), ("prodB", "ben")):
        assert json.loads(curl("-b", f"session={cookie}", f"{base}/private"))["user"] == user
    request = b"GET /private HTTP/1.1\r\nHost: x\r\nCookie: session=prodB\r\nConnection: close\r\n\r\n"
    with connect(nr.address) as sock:
        dribble(sock, request, 0.001)
        assert b'"user": "ben"' in recv_all(sock)
    closes(nr, logroot, 6)
    assert b"session=staging1" in logs.load(logroot, 2).bytes("c")
    assert b"prodA" not in logs.load(logroot, 2).bytes("c")


# -- redis --


def test_redis_prefix(example, folder, logroot):
    with Redis(folder / "redis") as redis:
        nr = example("redis_prefix.lua", {}, target=redis.address)
        assert redis.cli(nr.port, "set", "colour", "green") == b"OK\n"
        assert redis.cli(nr.port, "get", "colour") == b"green\n"
        assert redis.cli(nr.port, "mset", "a", "1", "b", "2") == b"OK\n"
        assert redis.cli(nr.port, "mget", "a", "b", "c") == b"1\n2\n\n"
        assert redis.cli(nr.port, "del", "a", "b") == b"2\n"
        assert redis.cli(redis.port, "keys", "*") == b"team1:colour\n"
        assert redis.cli(redis.port, "get", "team1:colour") == b"green\n"
        value = "v" * 1_000_000
        run("redis-cli", "-p", nr.port, "-x", "set", "large", input=value.encode(), stdin=None, env=BARE)
        assert redis.cli(redis.port, "get", "team1:large").strip() == value.encode()
        done = run("redis-cli", "-p", nr.port, "flushall", env=BARE, check=False)
        assert b"OK" not in done.stdout
        nr.wait_said("command flushall is not known to keep to its keys")
        assert redis.cli(redis.port, "dbsize") == b"2\n"
        with connect(nr.address) as sock:  # pipelined, in pieces that fit nothing
            request = b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$2\r\n\r\n\r\n" + b"*2\r\n$3\r\nGET\r\n$1\r\nx\r\n"
            dribble(sock, request, 0.001)
            sock.shutdown(socket.SHUT_WR)
            assert recv_all(sock) == b"+OK\r\n$2\r\n\r\n\r\n"
        closes(nr, logroot, 8)
    assert b"team1:colour" in logs.load(logroot, 1).bytes("c")


# -- in the documentation --


def manual():
    """The listings of netrecord-script(5), as they are read."""
    text = (TOP / "docs/man/netrecord-script.5").read_text()
    found = re.findall(r"^\.Bd -literal\n(.*?)^\.Ed$", text, flags=re.M | re.S)
    return [listing.replace("\\e", "\\").replace("\\(dq", '"') for listing in found]


def listing(word):
    (found,) = [each for each in manual() if word in each]
    return found


def test_the_manual_shows_the_examples_as_they_are():
    sources = {path.name: re.sub(r"\t", "    ", path.read_text()) for path in EXAMPLES.glob("*.lua")}
    text = (TOP / "docs/man/netrecord-script.5").read_text()
    assert all(name in text for name in sources)
    assert listing("io.lines") in sources["tenants.lua"]
    for part in listing("gmatch(").split("\n\n"):
        assert part in sources["http_host.lua"]


def test_the_router_of_the_manual(scripted):
    with web(b"plain") as plain, web(b"tls") as tls:
        names = {"127.0.0.1:8443": place(tls.address), "127.0.0.1:8080": place(plain.address)}
        lua = listing("0x16")
        for old, new in names.items():
            assert old in lua
            lua = lua.replace(old, new)
        nr = scripted(lua)
        assert curl(f"http://{place(nr.address)}/") == b"plain has /"
        with connect(nr.address) as sock:
            sock.sendall(b"\x16 /hello HTTP\r\n\r\n")
            assert recv_all(sock).endswith(b"tls has /hello")


def test_the_normaliser_of_the_manual(folder):
    (folder / "n.lua").write_text(listing("normalise"))
    log = write_logs(folder / "log", recording([(b"?\n", b"at 10:00:00\nor 11:11:11")]))
    with Scripted([(b"?\n", b"at 23:59:59\nor 00:00:00")]) as server:
        different(at(server), log)
    with Scripted([(b"?\n", b"at 23:59:59\nor 11:11:11")]) as server:
        equal("-s", folder / "n.lua", at(server), log)


def test_the_recipe_of_the_cookbook(scripted):
    (block,) = blocks("Choose the server by what the client sends")
    lua = "".join(line for line in block.splitlines(keepends=True) if not line.startswith("$"))
    with web(b"www") as www, web(b"api") as api:
        nr = scripted(lua.replace("127.0.0.1:8081", place(www.address)).replace("127.0.0.1:8082", place(api.address)))
        assert curl("-H", "Host: api.example.com", f"http://{place(nr.address)}/") == b"api has /"
        assert curl("-H", "Host: www.example.com", f"http://{place(nr.address)}/") == b"www has /"


def test_every_example_is_run_here():
    names = {path.name for path in EXAMPLES.glob("*.lua")}
    text = open(__file__, encoding="utf-8").read()
    assert names and all(f'"{name}"' in text for name in names)
    assert shutil.which("curl") and shutil.which("git")
