"""A real SMTP server of this machine, secured as a test asks, that can be told to refuse or to hang up."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.delivery_helpers import configured
from workbench.settings import Settings

PASSWORD = "correct horse"
Start = Callable[..., Settings]


class Inbox:
    """What the server took; `answers` are given, first come first served, in place of taking a mail."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.answers: list[str] = []
        self.refused_recipients: set[str] = set()
        self.n_offered = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if address in self.refused_recipients:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.n_offered += 1
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer == "hang up":
            server.transport.abort()
            return "250 OK"
        if answer.startswith("250"):
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return answer


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost, trusted by nobody, and its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@contextmanager
def mail_servers(inbox: Inbox, folder: Path, pem: tuple[Path, Path] | None = None) -> Iterator[Start]:
    """A function that starts a server secured as asked, and returns the settings that reach it; `pem` for TLS."""
    running: list[Controller] = []

    def begin(security: str = "none", **changes: Any) -> Settings:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if pem is not None:
            context.load_cert_chain(*map(str, pem))

        def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
            return AuthResult(success=(data.login, data.password) == (b"viva", PASSWORD.encode()), handled=False)

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options: dict[str, Any] = {"authenticator": check, "auth_require_tls": False}
        if security == "tls":
            options["ssl_context"] = context
        if security == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        server = Controller(inbox, hostname="localhost", port=port, **options)
        server.start()
        running.append(server)
        given = {
            "mail_host": "localhost", "mail_port": port, "mail_security": security,
            "mail_from": "Vivas <vivas@example.org>", "mail_ca_file": pem and pem[0], **changes,
        }  # fmt: skip
        return configured(folder, **given)

    yield begin
    for server in running:
        server.stop()
