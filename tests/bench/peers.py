"""What is compared: how each peer is started in front of a server, and how it is ended."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time

NGINX_STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so"


class Failed(Exception):
    """A peer or a load generator did not do what it should."""


def free_port():
    """A port that nobody has, below those that the kernel gives to clients."""
    while True:
        port = random.randint(10000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def listening(port):
    """Whether something listens, found without connecting to it."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        return any(fields[1].endswith(":%04X" % port) and fields[3] == "0A"
                   for fields in map(str.split, table))


def wait_for(what, condition, process, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None:
            raise Failed("%s: ended with status %d" % (what, process.returncode))
        if time.monotonic() > deadline:
            raise Failed("%s: not ready after %d s" % (what, seconds))
        time.sleep(0.005)


class Peer:
    """One program between client and server; a new process for each measurement."""

    name = ""
    program = ""            # must be installed
    remedy = ""             # what helps if it is not
    version = ()            # command that prints it
    size_share = 1.0        # of the bulk size: slow ones get less, so that a run stays short
    idle_most = 1000000     # idle connections that it is given at most
    writes = False          # whether it writes what passes to files
    records = False         # whether these are logs that can be verified

    def __init__(self):
        self.process = None
        self.folder = self.messages = ""

    def missing(self):
        """Why it cannot take part, or None."""
        return None if shutil.which(self.program) else "%s is not installed" % self.program

    def version_text(self):
        done = subprocess.run(self.version, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        lines = done.stdout.strip().splitlines()
        return next((line for line in lines if "version" in line.lower()),
                    lines[0] if lines else "?")

    def arguments(self, port, server_port):
        raise NotImplementedError

    def start(self, folder, server_port):
        """Start in `folder` (empty, in memory); returns the port to connect to once it accepts."""
        self.folder = folder
        self.messages = os.path.join(folder, "messages")
        port = free_port()
        with open(self.messages, "wb") as messages:
            self.process = subprocess.Popen(  # a group of its own: children are ended with it
                self.arguments(port, server_port), stdin=subprocess.DEVNULL, stdout=messages,
                stderr=messages, cwd=folder, start_new_session=True)
        wait_for(self.name, lambda: listening(port), self.process)
        return port

    def stop(self):
        """End it; returns a remark for the report or None."""
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # children that stayed
        except ProcessLookupError:
            pass

    def said(self):
        with open(self.messages, encoding="utf-8", errors="replace") as messages:
            return messages.read()

    def processes(self):
        """Ids of the process and all its descendants."""
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            try:
                for task in os.listdir("/proc/%d/task" % pid):
                    with open("/proc/%d/task/%s/children" % (pid, task), encoding="ascii") as file:
                        todo.extend(map(int, file.read().split()))
            except OSError:  # ended meanwhile
                continue
        return found

    def cpu(self):
        """CPU seconds, user and system, of all threads and children, so far."""
        ticks = 0
        for pid in self.processes():
            try:
                with open("/proc/%d/stat" % pid, encoding="utf-8") as file:
                    ticks += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:15]))
            except OSError:
                continue
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Resident bytes; of several processes only the proportional share of what they share."""
        total, pids = 0, self.processes()
        name, field = ("status", "VmRSS:") if len(pids) == 1 else ("smaps_rollup", "Pss:")
        for pid in pids:
            with open("/proc/%d/%s" % (pid, name), encoding="ascii") as file:
                total += next(int(line.split()[1]) * 1024 for line in file
                              if line.startswith(field))
        return total

    def descriptors(self):
        return sum(len(os.listdir("/proc/%d/fd" % pid)) for pid in self.processes())


class Direct(Peer):
    """No proxy at all."""

    name = "direct"

    def missing(self):
        return None

    def version_text(self):
        return None

    def start(self, folder, server_port):
        return server_port

    def stop(self):
        return None

    def processes(self):
        return []


class Haproxy(Peer):
    name = "haproxy"
    program = "haproxy"
    remedy = "apt-get install haproxy"
    version = ("haproxy", "-v")
    tune = options = ""

    def arguments(self, port, server_port):
        path = os.path.join(self.folder, "haproxy.cfg")
        with open(path, "w", encoding="ascii") as config:
            config.write(
                "global\n  nbthread 1\n  maxconn 6000\n%s"
                "defaults\n  mode tcp\n%s  timeout connect 10s\n  timeout client 10m\n"
                "  timeout server 10m\n"
                "listen relay\n  bind 127.0.0.1:%d\n  server behind 127.0.0.1:%d\n"
                % (self.tune, self.options, port, server_port))
        return ["haproxy", "-db", "-f", path]


class HaproxySplice(Haproxy):
    name = "ha-splice"
    options = "  option splice-request\n  option splice-response\n"

    def version_text(self):
        return None


class HaproxyBuffer(Haproxy):
    name = "ha-256k"
    tune = "  tune.bufsize 262144\n"

    def version_text(self):
        return None


class Nginx(Peer):
    name = "nginx"
    program = "nginx"
    remedy = "apt-get install nginx-light libnginx-mod-stream"
    version = ("nginx", "-v")

    def missing(self):
        return super().missing() or (
            None if os.path.exists(NGINX_STREAM) else "libnginx-mod-stream is not installed")

    def arguments(self, port, server_port):
        path = os.path.join(self.folder, "nginx.conf")
        with open(path, "w", encoding="ascii") as config:
            config.write(
                "load_module %s;\n%sdaemon off;\nworker_processes 1;\n"
                "worker_rlimit_nofile 20000;\npid %s/nginx.pid;\nerror_log stderr crit;\n"
                "events { worker_connections 16000; }\n"
                "stream { server { listen 127.0.0.1:%d backlog=4096;"
                " proxy_pass 127.0.0.1:%d; } }\n"
                % (NGINX_STREAM, "user root;\n" if os.geteuid() == 0 else "", self.folder, port,
                   server_port))
        return ["nginx", "-e", "stderr", "-p", self.folder, "-c", path]


class Socat(Peer):
    name = "socat"
    program = "socat"
    remedy = "apt-get install socat"
    version = ("socat", "-V")
    size_share = 0.25
    idle_most = 500  # a process each

    def arguments(self, port, server_port):
        return ["socat", "TCP-LISTEN:%d,bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=4096" % port,
                "TCP:127.0.0.1:%d,nodelay" % server_port]


class Sslsplit(Peer):
    name = "sslsplit"
    program = "sslsplit"
    remedy = "apt-get install sslsplit"
    version = ("sslsplit", "-V")
    size_share = 0.25
    writes = True

    def arguments(self, port, server_port):
        user = ["-u", "root"] if os.geteuid() == 0 else []
        return ["sslsplit", *user, "-L", os.path.join(self.folder, "content"),
                "tcp", "127.0.0.1", str(port), "127.0.0.1", str(server_port)]


class Tcpdump(Peer):
    """The direct connection, captured beside it."""

    name = "tcpdump"
    program = "tcpdump"
    remedy = "apt-get install tcpdump, and be root"
    version = ("tcpdump", "--version")
    writes = True

    def missing(self):
        return super().missing() or (None if os.geteuid() == 0 else "tcpdump wants root")

    def arguments(self, port, server_port):
        return ["tcpdump", "-Z", "root", "-i", "lo", "-w", os.path.join(self.folder, "capture"),
                "tcp port %d" % server_port]

    def start(self, folder, server_port):
        self.folder = folder
        self.messages = os.path.join(folder, "messages")
        with open(self.messages, "wb") as messages:
            self.process = subprocess.Popen(
                self.arguments(0, server_port), stdin=subprocess.DEVNULL, stdout=messages,
                stderr=messages, cwd=folder, start_new_session=True)
        wait_for(self.name, lambda: "listening on" in self.said(), self.process)
        return server_port

    def stop(self):
        super().stop()
        for line in self.said().splitlines():
            if "dropped by kernel" in line and not line.startswith("0 "):
                return line.strip()
        return None


class Netrecord(Peer):
    """Ours, with default options; its logs are verified."""

    name = "netrecord"
    writes = records = True

    def __init__(self, build):
        super().__init__()
        self.program = os.path.join(build, "netrecord")
        self.remedy = "make"
        self.netlog = os.path.join(build, "netlog")
        self.version = (self.program, "-V")

    @property
    def root(self):
        return os.path.join(self.folder, "log")

    def arguments(self, port, server_port):
        return [self.program, "-b", "127.0.0.1", "127.0.0.1", str(server_port), str(port),
                self.root]

    def stop(self):
        """QUIT: it ends by itself after the last connection, with all logs complete."""
        self.process.send_signal(signal.SIGQUIT)
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            super().stop()
            raise Failed("netrecord: has not ended 20 s after QUIT") from None
        if status != 0:
            raise Failed("netrecord: status %d: %s" % (status, self.said().strip()))
        checked = subprocess.run([self.netlog, "check", "-q", self.root], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, check=False)
        if checked.returncode != 0:
            raise Failed("netlog check: %s" % checked.stdout.strip()[-300:])


def all_peers(build):
    return [Direct(), Haproxy(), HaproxySplice(), HaproxyBuffer(), Nginx(), Socat(), Sslsplit(),
            Tcpdump(), Netrecord(build)]
