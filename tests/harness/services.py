"""Real servers on loopback ports and data folders of their own."""
import os
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from .proc import run, wait_until

BARE = {**os.environ, "LC_ALL": "C", "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null"}


def free_port():
    """A port that was free a moment ago, for servers that cannot be told to take any."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Service:
    """One server process: started and awaited on entry, ended on exit."""

    stop_signal = signal.SIGTERM

    def __init__(self, folder):
        self.folder = Path(folder)
        self.port = free_port()
        self.address = ("127.0.0.1", self.port)
        self.child = None

    def argv(self):
        raise NotImplementedError

    def prepare(self):
        """What must stand in the folder before the start."""

    def ready(self):
        return accepts(self.port)

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        self.output = open(self.folder / "output", "w+b")
        self.child = subprocess.Popen(
            [str(a) for a in self.argv()],
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
            env=BARE,
            cwd=self.folder,
            start_new_session=True,
        )
        try:
            wait_until(self.started, f"{self.argv()[0]} is ready", pause=0.05)
        except BaseException:
            self.__exit__()
            raise
        return self

    def started(self):
        if self.child.poll() is not None:
            self.output.seek(0)
            raise AssertionError(f"{self.argv()} ended:\n{self.output.read().decode(errors='replace')}")
        return self.ready()

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.send_signal(self.stop_signal)
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.output.close()


class Redis(Service):
    def argv(self):
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": "", "appendonly": "no"}
        return ["redis-server", *(word for key, value in options.items() for word in (f"--{key}", value))]

    def cli(self, port, *words, **options):
        return run("redis-cli", "-h", "127.0.0.1", "-p", port, *words, env=BARE, **options).stdout


NGINX = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr;
{user}
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/www;
        keepalive_requests 1000000;
        location /upload {{ client_max_body_size 0; dav_methods PUT; }}
    }}
}}
"""


class Nginx(Service):
    stop_signal = signal.SIGQUIT

    def prepare(self):
        (self.folder / "www" / "upload").mkdir(parents=True)
        user = "user root;" if os.geteuid() == 0 else ""
        text = NGINX.format(folder=self.folder, port=self.port, user=user)
        (self.folder / "nginx.conf").write_text(text)

    def argv(self):
        return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", self.folder, "-c", self.folder / "nginx.conf"]


class Postgres(Service):
    """The server's programs are not on PATH in Debian, and it refuses to run as root."""

    stop_signal = signal.SIGINT

    def as_user(self, *words):
        if os.geteuid() != 0:
            return list(words)
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *words]

    def prepare(self):
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
        assert programs, "no server programs under /usr/lib/postgresql"
        self.programs = programs[-1]
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        run(
            *self.as_user(self.programs / "initdb", "-D", self.folder / "data", "-A", "trust"),
            *("-U", "tester", "--no-sync", "--locale=C", "-E", "UTF8"),
            env=BARE,
            cwd="/",
            patience=120,
        )

    def argv(self):
        options = ["-k", self.folder, "-p", str(self.port), "-h", "127.0.0.1", "-c", "fsync=off", "-F"]
        return self.as_user(self.programs / "postgres", "-D", self.folder / "data", *options)

    def ready(self):
        done = run("pg_isready", "-h", "127.0.0.1", "-p", self.port, "-U", "tester", check=False, env=BARE)
        return done.returncode == 0

    def psql(self, port, sql, *options):
        where = ["-h", "127.0.0.1", "-p", port, "-U", "tester", "-d", "postgres"]
        words = ["psql", "-X", "-q", "-A", "-t", *where, "-v", "ON_ERROR_STOP=1", *options]
        return run(*words, stdin=None, input=sql.encode(), env={**BARE, "PGSSLMODE": "disable"}).stdout

    def pgbench(self, port, *options):
        where = ["-h", "127.0.0.1", "-p", port, "-U", "tester", "postgres"]
        return run("pgbench", *options, *where, env={**BARE, "PGSSLMODE": "disable"}, patience=60)


class Memcached(Service):
    def argv(self):
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        return ["memcached", *user, "-l", "127.0.0.1", "-p", self.port, "-U", "0", "-m", "16"]


class GitDaemon(Service):
    """Serves the repository `project.git`, readable and writable, with some history in it."""

    def git(self, *words, cwd=None):
        identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
        return run("git", *identity, *words, cwd=cwd or self.folder, env=BARE, patience=60)

    def prepare(self):
        tree = self.folder / "tree"
        self.git("init", "-q", "-b", "main", tree)
        for number in range(20):
            (tree / f"file{number}").write_bytes(os.urandom(20000))
            self.git("add", ".", cwd=tree)
            self.git("commit", "-q", "-m", f"commit {number}", cwd=tree)
        self.git("clone", "-q", "--bare", tree, self.folder / "project.git")

    def argv(self):
        # not "git daemon": that would leave the daemon behind when its parent is ended
        exec_path = run("git", "--exec-path").stdout.decode().strip()
        options = ["--reuseaddr", "--export-all", "--enable=receive-pack", "--verbose"]
        where = ["--listen=127.0.0.1", f"--port={self.port}", f"--base-path={self.folder}", self.folder]
        return [Path(exec_path) / "git-daemon", *options, *where]
