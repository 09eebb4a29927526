"""An authority, certificates and logins for a broker of the tests, made anew for each run."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

LISTENERS = """listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_SSL,MUTUAL:SSL
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/authority.pem
listener.name.login.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.login.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required {plain};
listener.name.mutual.ssl.client.auth=required
"""


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as PEM."""

    text: bytes
    key: ec.EllipticCurvePrivateKey

    def key_text(self, password: str = "") -> bytes:
        encryption: KeySerializationEncryption = NoEncryption()
        if password:
            encryption = BestAvailableEncryption(password.encode())
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def certificate(name: str, issuer: Certificate | None = None) -> Certificate:
    """Return a certificate of this machine that the issuer signs; without one, an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    own = subject if issuer is None else x509.load_pem_x509_certificate(issuer.text).subject
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer_name=own,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(hours=1),
        not_valid_after=now + timedelta(days=1),
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = builder.add_extension(names, critical=False)
    signed = builder.sign(key if issuer is None else issuer.key, hashes.SHA256())
    return Certificate(signed.public_bytes(Encoding.PEM), key)


@dataclass(frozen=True)
class KafkaSecrets:
    """What a broker and its clients have to know: files in a folder, and the password of the user `desk`."""

    folder: Path
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    key_password: str = field(default_factory=lambda: secrets.token_urlsafe(12))

    def write(self) -> str:
        """Write the files; return the broker's properties of its two safe listeners."""
        authority = certificate("authority")
        server, client = certificate("broker", authority), certificate("desk", authority)
        for name, content in {
            "authority.pem": authority.text,
            "server.pem": server.key_text() + server.text,
            "client.pem": client.text,
            "client.key": client.key_text(self.key_password),
            "stranger.pem": certificate("stranger").text,
            "password": self.password.encode(),
            "key-password": self.key_password.encode(),
        }.items():
            (self.folder / name).write_bytes(content)
        return LISTENERS.format(folder=self.folder, plain=f'user_desk="{self.password}"')
