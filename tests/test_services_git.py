"""git daemon through netrecord: clone, fetch and push."""
import os

import pytest

from harness import logs
from harness.services import GitDaemon
from harness.tap import Tap
from harness.wire import assert_recorded


@pytest.fixture
def daemon(folder):
    with GitDaemon(folder / "git") as server:
        yield server


def head(daemon, repository):
    return daemon.git("rev-parse", "main", cwd=repository).stdout


def test_clone_push_and_fetch(daemon, netrecord, logroot, folder):
    project = daemon.folder / "project.git"
    with Tap(daemon.address) as behind:
        nr = netrecord(behind.address)
        with Tap(nr.address) as front:
            url = "git://127.0.0.1:{}/project.git".format(front.address[1])
            first, second = folder / "first", folder / "second"
            daemon.git("clone", "-q", url, first)
            daemon.git("clone", "-q", url, second)
            assert head(daemon, first) == head(daemon, project)
            daemon.git("fsck", "--full", "--strict", cwd=first)

            (first / "large").write_bytes(os.urandom(2 << 20))
            daemon.git("add", "large", cwd=first)
            daemon.git("commit", "-q", "-m", "a large file", cwd=first)
            daemon.git("push", "-q", "origin", "main", cwd=first)
            daemon.git("pull", "-q", "--ff-only", cwd=second)
            assert head(daemon, first) == head(daemon, project) == head(daemon, second)
            assert (second / "large").read_bytes() == (first / "large").read_bytes()

            front.wait_idle()
            behind.wait_idle()
            nr.stop()
            assert_recorded(logroot, front, behind, least=4)
    assert b"git-upload-pack /project.git" in logs.load(logroot, 1).bytes("c")
