"""The code blocks of docs/cookbook.md, to be run as they stand there."""
import os
import re
import signal
import subprocess

from .proc import BIN, TOP, PATIENCE


def blocks(heading):
    """The indented blocks of the section with that heading, without their indent."""
    text = (TOP / "docs/cookbook.md").read_text()
    sections = [section for section in re.split(r"^## ", text, flags=re.M) if section.startswith(heading + "\n")]
    assert len(sections) == 1, f"no section {heading}"
    found = re.findall(r"(?:^    .*\n)+", sections[0], flags=re.M)
    return ["".join(line[4:] for line in block.splitlines(keepends=True)) for block in found]


def filled(block, **replacements):
    """The block with what stands for the user's own replaced; each must be there."""
    for old, new in replacements.items():
        assert old in block, f"{old} is not in\n{block}"
        block = block.replace(old, str(new))
    return block


class Shell:
    """sh in a session of its own, so that what it leaves in the background is ended with it."""

    def __init__(self, script, folder):
        environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C"}
        self.child = subprocess.Popen(
            ["/bin/sh", "-c", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def ends(self, status=0):
        out, _ = self.child.communicate(timeout=PATIENCE * 2)
        assert self.child.returncode == status, f"{self.child.returncode}\n{out.decode(errors='replace')}"
        return out.decode(errors="backslashreplace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()
        self.child.stdout.close()
