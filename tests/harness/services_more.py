"""More real servers: mail, and messages between clients."""
import ssl

from .proc import run
from .services import Service, accepts


def certificate(folder):
    """A self-signed certificate for localhost and its key, as paths."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    run("openssl", "req", "-x509", *words, *names, "-keyout", key, "-out", cert)
    return cert, key


def trusting(cert):
    """A client's TLS context that trusts this certificate only."""
    return ssl.create_default_context(cafile=str(cert))


class Smtp(Service):
    """aiosmtpd, which takes every mail and forgets it; with STARTTLS if `tls` is (certificate, key)."""

    def __init__(self, folder, tls=None):
        super().__init__(folder)
        self.tls = tls

    def argv(self):
        # It would ask the machine's resolver for its own name at each connection, which may take seconds to say no.
        start = "import socket, sys; socket.getfqdn = lambda: 'mail.example'; from aiosmtpd.main import main; main(sys.argv[1:])"
        words = ["/usr/bin/python3", "-c", start, "-n", "-l", f"127.0.0.1:{self.port}", "-s", "1000000"]
        if self.tls:
            words += ["--tlscert", self.tls[0], "--tlskey", self.tls[1], "--no-requiretls"]
        return [*words, "-c", "aiosmtpd.handlers.Sink"]

    def ready(self):
        return accepts(self.port)


class Mosquitto(Service):
    def prepare(self):
        text = f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n"
        (self.folder / "mosquitto.conf").write_text(text)

    def argv(self):
        return ["mosquitto", "-c", self.folder / "mosquitto.conf"]
