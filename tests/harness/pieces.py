"""Run by itself, in a network namespace of its own: how many acknowledgements were delayed (RFC 9293, 3.8.6.3)
while a server answered each of its clients in three small pieces, without TCP_NODELAY; the clients come directly,
or through the command given (netrecord host port proxyport logroot, of which the ports are put in)."""
import socket
import subprocess
import sys
import threading
import time

CLIENTS = 20


def serve(listener):
    while True:
        sock = listener.accept()[0]
        with sock:
            if not sock.recv(100):
                continue
            for piece in (b"head", b"body", b"tail"):
                sock.sendall(piece)
            sock.recv(1)


def delayed():
    with open("/proc/net/netstat", encoding="ascii") as text:
        names, values = [line.split() for line in text if line.startswith("TcpExt:")]
    return int(values[names.index("DelayedACKs")])


def connect(port):
    """Also while the port is not yet listened on."""
    for _ in range(1000):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise TimeoutError(port)


def main(command):
    listener = socket.create_server(("127.0.0.1", 7001))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    if command:
        proxy = subprocess.Popen([*command[:-1], "127.0.0.1", "7001", "7002", command[-1]])
        connect(7002).close()
    before = delayed()
    for _ in range(CLIENTS):
        with connect(7002 if command else 7001) as client:
            client.sendall(b"request")
            answer = b""
            while len(answer) < 12:
                answer += client.recv(12)
    print(delayed() - before)
    if command:
        proxy.terminate()
        proxy.wait()


main(sys.argv[1:])
