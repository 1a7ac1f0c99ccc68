"""A server that hands out a token at each login and knows only the tokens it has handed out."""
import os
import time

from .peers import Server, connect

PAGE = b"the secret page, which is the same for everyone\n"


class Tokens(Server):
    """LOGIN name -> 'welcome name, token=T;'; GET T -> the page; anything else is DENIED. A line each.

    `make` makes a token; `pieces` splits an answer into what is sent at once.
    """

    def __init__(self, make=lambda: os.urandom(8).hex().encode(), pieces=lambda answer: [answer], pause=0.05):
        self.make, self.pieces, self.pause = make, pieces, pause
        self.tokens = {}  # token -> the name it was given to
        self.uses = []  # (number of the connection, token) as they came
        super().__init__(self.session)

    def session(self, sock, number):
        with sock.makefile("rb") as lines:
            for line in lines:
                for nth, piece in enumerate(self.pieces(self.answer(number, *line.split()))):
                    if nth:
                        time.sleep(self.pause)
                    sock.sendall(piece)

    def answer(self, number, word, operand):
        if word == b"LOGIN":
            token = self.make()
            self.tokens[token] = operand
            return b"welcome %s, token=%s;\n" % (operand, token)
        if word == b"LOGOUT" and operand in self.tokens:
            del self.tokens[operand]
            return b"bye\n"
        if word == b"GET" and operand in self.tokens:
            self.uses.append((number, operand))
            return PAGE
        return b"DENIED, whoever you are\n"


class Visitor:
    """A client, line by line."""

    def __init__(self, address):
        self.sock = connect(address)
        self.lines = self.sock.makefile("rb")

    def ask(self, line):
        self.sock.sendall(line)
        return self.lines.readline()

    def login(self, name):
        return self.ask(b"LOGIN %s\n" % name).split(b"token=")[1].rstrip(b";\n")

    def page(self, token):
        assert self.ask(b"GET %s\n" % token) == PAGE

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.sock.close()


CARRY = ("--carry", "token=([0-9a-zA-Z]+);")
