"""Two network namespaces and a link between them that loses packets."""
import ctypes
import fcntl
import os
import random
import select
import struct
import threading

from .proc import run

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def within(namespace, work):
    """Run `work()` in a thread of that namespace; what it opens stays there. Returns its result."""
    result = {}

    def inside():
        try:
            with open(f"/run/netns/{namespace}", "rb") as handle:
                assert LIBC.setns(handle.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            result["value"] = work()
        except BaseException as error:  # raised below, in the caller's thread
            result["error"] = error

    thread = threading.Thread(target=inside, daemon=True)
    thread.start()
    thread.join()
    if "error" in result:
        raise result["error"]
    return result["value"]


class Lossy:
    """Namespaces `near` (10.77.0.1) and `far` (10.77.0.2); a share of the packets between them is dropped.

    By a forwarder of our own between two tun devices: not every kernel has netem.
    """

    ADDRESSES = ("10.77.0.1", "10.77.0.2")

    def __init__(self, share, seed=1):
        self.share, self.chance = share, random.Random(seed)
        self.names = [f"nt{os.getpid()}{side}" for side in "ab"]
        self.near, self.far = self.names
        self.passed = self.dropped = 0
        self.fds = [self.device(name, own, other) for name, own, other in zip(self.names, self.ADDRESSES, self.ADDRESSES[::-1])]
        self.wake = os.pipe()
        self.thread = threading.Thread(target=self.forward, daemon=True)
        self.thread.start()

    @staticmethod
    def device(name, own, other):
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
        run("ip", "netns", "add", name)
        run("ip", "link", "set", name, "netns", name)
        inside = ("ip", "-n", name)
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "address", "add", own, "peer", other, "dev", name)
        run(*inside, "link", "set", name, "up")
        return fd

    def forward(self):
        while True:
            ready, _, _ = select.select([*self.fds, self.wake[0]], [], [])
            if self.wake[0] in ready:
                return
            for fd in ready:
                packet = os.read(fd, 65536)
                if self.chance.random() < self.share:
                    self.dropped += 1
                else:
                    self.passed += 1
                    os.write(self.fds[fd == self.fds[0]], packet)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.write(self.wake[1], b"!")
        self.thread.join()
        for fd in (*self.fds, *self.wake):
            os.close(fd)
        for name in self.names:
            run("ip", "netns", "delete", name)
