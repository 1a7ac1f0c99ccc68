"""Many connections busy in both directions at once, of which every byte can be told by its position."""
import asyncio
import struct
import threading

from .peers import pattern

HELLO = struct.Struct(">I")


class Traffic:
    """`count` clients, and the server they talk to, in a thread of their own; stops when both sides fail or by stop().

    A client sends its number and then pattern(2n), the server learns the number and sends pattern(2n+1).
    """

    def __init__(self, count):
        self.count = count
        self.sent = {"c": [0] * count, "s": [0] * count}
        self.got = {"c": [0] * count, "s": [0] * count}  # of what that side sent
        self.wrong = []
        self.ready = threading.Event()
        self.proxy = None
        self.go = None
        self.thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self.thread.start()
        self.ready.wait()

    @staticmethod
    def stream(number, side, start, size):
        """Bytes of a side's stream; the client's begins with its number."""
        head = HELLO.pack(number) if side == "c" else b""
        if start < len(head):
            return (head + pattern(2 * number, 0, size))[start : start + size]
        return pattern(2 * number + (side == "s"), start - len(head), size)

    async def _main(self):
        self.loop = asyncio.get_running_loop()
        self.go, self.over = asyncio.Event(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096)
        self.address = server.sockets[0].getsockname()
        self.ready.set()
        await self.go.wait()
        clients = [asyncio.create_task(self._client(number)) for number in range(self.count)]
        await self.over.wait()
        for task in clients:
            task.cancel()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    async def _client(self, number):
        try:
            reader, writer = await asyncio.open_connection(*self.proxy)
            await self._both(number, "c", reader, writer)
        except (OSError, EOFError):
            pass

    async def _serve(self, reader, writer):
        try:
            (number,) = HELLO.unpack(await reader.readexactly(HELLO.size))
            self.got["c"][number] = HELLO.size
            await self._both(number, "s", reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            writer.transport.abort()

    async def _both(self, number, side, reader, writer):
        other = "s" if side == "c" else "c"
        sender = asyncio.create_task(self._send(number, side, writer))
        try:
            while data := await reader.read(65536):
                at = self.got[other][number]
                if data != self.stream(number, other, at, len(data)):
                    self.wrong.append((number, other, at))
                self.got[other][number] += len(data)
        finally:
            sender.cancel()
            writer.transport.abort()

    async def _send(self, number, side, writer):
        size = 200 + number * 97 % 9000
        while True:
            data = self.stream(number, side, self.sent[side][number], size)
            self.sent[side][number] += len(data)
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(0.01)

    def start(self, proxy):
        """Let the clients connect to `proxy`."""
        self.proxy = proxy
        self.loop.call_soon_threadsafe(self.go.set)

    def busy(self):
        """How many connections have got bytes from both sides."""
        return sum(1 for c, s in zip(self.got["c"], self.got["s"]) if c > HELLO.size and s)

    def stop(self):
        self.loop.call_soon_threadsafe(self.go.set)
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
