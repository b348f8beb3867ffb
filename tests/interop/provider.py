"""A server for other people's clients: a process of its own, over TLS, with clients, a user and a resource server."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.processes import ServerProcess, authserver

USERNAME, PASSWORD = "ada", "correct horse battery staple"
EMAIL = "ada@example.org"
BROWSER_FLOW = ("--grant", "authorization_code", "--grant", "refresh_token")
OPENID = ("--scope", "openid", "--scope", "profile", "--scope", "email", "--scope", "offline_access", "--scope", "read")


@dataclass
class Provider:
    process: ServerProcess
    directory: Path
    settings: dict[str, object]
    secrets: dict[str, str] = field(default_factory=dict)
    """Client id -> secret."""

    @property
    def issuer(self) -> str:
        return self.process.url

    @property
    def authority(self) -> Path:
        """The certificate that vouches for the server's."""
        return self.directory / "ca.pem"

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority)

    def run(self, *command: str, given: str | None = None) -> Any:
        """A command of the server's command line; its JSON."""
        done = authserver(*command, "--json", cwd=self.directory, given=given, **self.settings)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def client(self, client_id: str, *options: str, method: str = "none") -> str:
        body = self.run("clients", "add", client_id, "--auth-method", method, *BROWSER_FLOW, *OPENID, *options)
        self.secrets[client_id] = body.get("client_secret", "")
        return client_id


@contextmanager
def providing(directory: Path, **settings: object) -> Iterator[Provider]:
    """A migrated, empty server with one user, serving https://localhost:<port>."""
    make_certificates(directory)
    chosen: dict[str, object] = {"tls_cert": "cert.pem", "tls_key": "key.pem", **settings}
    process = ServerProcess(directory, host="localhost", trust=directory / "ca.pem", **chosen)
    chosen |= {"issuer": process.url, "port": process.port}
    process.configure(**chosen)
    provider = Provider(process, directory, chosen)
    for command in (("init",), ("migrate",)):
        done = authserver(*command, cwd=directory, **chosen)
        assert done.returncode == 0, done.stderr
    provider.run("users", "add", USERNAME, "--password-stdin", given=PASSWORD + "\n")
    provider.run("users", "set-claims", USERNAME, "name=Ada Lovelace", f"email={EMAIL}", "email_verified=true")
    try:
        process.start()
        yield provider
    finally:
        process.clean_up()


def make_certificates(directory: Path) -> None:
    """An authority, and a certificate of its for this machine: ca.pem, cert.pem, key.pem."""
    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("Authority of a test", authority, "Authority of a test", authority, is_authority=True)
    leaf = _certificate("localhost", key, "Authority of a test", authority, is_authority=False)
    (directory / "ca.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (directory / "cert.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "key.pem").write_bytes(secret)


def _certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    return (builder if is_authority else builder.add_extension(names, critical=False)).sign(signer, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
