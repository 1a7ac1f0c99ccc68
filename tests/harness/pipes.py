"""Pipes whose one end is a child's standard input."""
import os


class Pipe:
    """A pipe to read from; what is sent into it goes at once."""

    def __init__(self):
        self.end, self.input = os.pipe()

    def send(self, *records):
        os.write(self.input, b"".join(records))

    def close(self):
        os.close(self.input)
