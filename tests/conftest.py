"""Fixtures of all system tests; skipped tests count as failures where CI is set."""
import os
import resource
import shutil
import tempfile
from pathlib import Path

import pytest

from harness.follow import Follower
from harness.mirror import Netmirror, Observer
from harness.netns import Host
from harness.pipes import Pipe
from harness.proc import BIN, Netrecord
from harness.serve import Served
from harness.tunnel import Tunnel as NetTunnel

# a thousand connections of a test need three descriptors each
_, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(HARD, 65536), HARD))


def pytest_configure():
    missing = [name for name in ("netrecord", "netlog") if not (BIN / name).is_file()]
    if missing:
        pytest.exit(f"{BIN}: no {' and no '.join(missing)} there; run make first", 2)


def pytest_generate_tests(metafunc):
    """Tests of the core run with both backends of the loop."""
    if "backend" in metafunc.fixturenames:
        core = metafunc.definition.get_closest_marker("core")
        metafunc.parametrize("backend", ["epoll", "poll"] if core else ["epoll"])


@pytest.fixture
def backend():
    return "epoll"


@pytest.fixture
def folder():
    """A folder of the test's own, that other users may enter."""
    path = Path(tempfile.mkdtemp(prefix="netrecord-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def logroot(folder):
    return folder / "log"


@pytest.fixture
def pipe():
    made = Pipe()
    yield made
    os.close(made.end)


@pytest.fixture
def follow(folder):
    """Start netlog show -f; all are ended with the test."""
    started = []

    def start(*args, **options):
        started.append(Follower(folder, *args, **options))
        return started[-1]

    yield start
    for follower in started:
        if follower.child.poll() is None:
            follower.child.kill()
            follower.child.wait()
        assert "Sanitizer" not in follower.errors.read_text()


@pytest.fixture
def netrecord(logroot, backend):
    """Start recorders; all are ended with the test."""
    started = []

    def start(target, *options, root=logroot, env=None, **settings):
        env = {"NETRECORD_BACKEND": backend, **(env or {})}
        started.append(Netrecord(target, root, *options, env=env, **settings))
        return started[-1]

    yield start
    for process in started:
        process.kill()
    for process in started:
        for report in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error:"):
            assert report not in process.stderr, process.stderr


@pytest.fixture
def serve(backend):
    """Start netreplay --serve with options and logs; all are ended with the test."""
    started = []

    def start(*argv, **settings):
        started.append(Served(*argv, env={"NETRECORD_BACKEND": backend}, **settings))
        return started[-1]

    yield start
    for process in started:
        process.finish()


@pytest.fixture
def tunnel(folder, backend):
    """A nettunnel server and its providers, started by the test; all are ended with it."""
    ends = NetTunnel(folder, backend)
    yield ends
    ends.finish()


@pytest.fixture
def mirror(backend):
    """Start netmirror with options and operands; all are ended with the test."""
    started = []

    def start(*argv, env=None, **settings):
        started.append(Netmirror(*argv, env={"NETRECORD_BACKEND": backend, **(env or {})}, **settings))
        return started[-1]

    yield start
    for process in started:
        process.finish()


@pytest.fixture
def observers():
    """Start observers; what they wrongly met is told at the end of the test."""
    started = []

    def start(count, **options):
        started.extend(Observer(**options) for _ in range(count))
        return started[-count:]

    yield start
    for observer in started:
        observer.close()


@pytest.fixture
def hosts(root):
    """Make hosts (network namespaces); they are removed with the test."""
    made = []

    def make(count):
        made.extend(Host() for _ in range(count))
        return made[-count:]

    yield make
    for host in made:
        host.remove()


@pytest.fixture
def root():
    """For tests that need rights of root."""
    if os.geteuid() != 0:
        pytest.skip("needs root")


def pytest_sessionfinish(session, exitstatus):
    """In CI a skipped test is a failed one."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    if os.environ.get("CI") and skipped:
        terminalreporter.write_line(f"CI: {len(skipped)} skipped, which counts as failure")
