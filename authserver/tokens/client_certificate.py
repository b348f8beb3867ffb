"""The certificate that a client showed in its TLS handshake, as a proxy hands it on (RFC 8705, RFC 9440)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

MAX_CHARS = 16_384
_ARMOUR = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_WHITESPACE = re.compile(r"\s+")

DistinguishedName: TypeAlias = tuple[frozenset[tuple[str, str]], ...]
"""The relative names in order, each the pairs of its attributes' OIDs and values."""

_OIDS: Mapping[str, str] = {
    "CN": NameOID.COMMON_NAME.dotted_string,
    "L": NameOID.LOCALITY_NAME.dotted_string,
    "ST": NameOID.STATE_OR_PROVINCE_NAME.dotted_string,
    "S": NameOID.STATE_OR_PROVINCE_NAME.dotted_string,
    "O": NameOID.ORGANIZATION_NAME.dotted_string,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME.dotted_string,
    "C": NameOID.COUNTRY_NAME.dotted_string,
    "STREET": NameOID.STREET_ADDRESS.dotted_string,
    "DC": NameOID.DOMAIN_COMPONENT.dotted_string,
    "UID": NameOID.USER_ID.dotted_string,
    "E": NameOID.EMAIL_ADDRESS.dotted_string,
    "EMAIL": NameOID.EMAIL_ADDRESS.dotted_string,
    "EMAILADDRESS": NameOID.EMAIL_ADDRESS.dotted_string,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER.dotted_string,
    "SN": NameOID.SURNAME.dotted_string,
    "GN": NameOID.GIVEN_NAME.dotted_string,
    "T": NameOID.TITLE.dotted_string,
    "TITLE": NameOID.TITLE.dotted_string,
    "ORGANIZATIONIDENTIFIER": NameOID.ORGANIZATION_IDENTIFIER.dotted_string,
    "BUSINESSCATEGORY": NameOID.BUSINESS_CATEGORY.dotted_string,
    "JURISDICTIONC": NameOID.JURISDICTION_COUNTRY_NAME.dotted_string,
}
"""The short names of RFC 4514 section 3 and those that tools print beside them."""
_ATTRIBUTE = re.compile(r"(^|(?<!\\)[,+])\s*([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)\s*=\s*")

_BEFORE_SEPARATOR = re.compile(r"(?<!\\)\s+(?=[,+]\d)")


class NotACertificate(ValueError):
    """Nothing that X.509 knows; the text holds nothing of it."""


@dataclass(frozen=True)
class ClientCertificate:
    """Whoever sent the request holds its private key: the handshake has proven that to the proxy."""

    der: bytes = field(repr=False)
    verified: bool = False
    """The proxy found its chain good: it ends at an authority that the operator named, and is in force."""

    @cached_property
    def thumbprint(self) -> str:
        """`x5t#S256` (RFC 8705 section 3.1)."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.der).digest()).rstrip(b"=").decode("ascii")

    @cached_property
    def _parsed(self) -> x509.Certificate:
        try:
            return x509.load_der_x509_certificate(self.der)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise NotACertificate("not a certificate") from None

    @cached_property
    def subject(self) -> DistinguishedName:
        return _name(self._read(lambda certificate: certificate.subject))

    @cached_property
    def public_key(self) -> bytes:
        """Its SubjectPublicKeyInfo (DER)."""
        return bytes(self._read(lambda c: c.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)))

    def alternative_names(self, kind: str) -> frozenset[str]:
        """Of `kind` "dns" (lower case), "uri", "ip" (in its usual spelling) or "email"."""
        of_type, spell = _KINDS[kind]
        return frozenset(spell(value) for value in self._alternatives.get_values_for_type(of_type))

    @cached_property
    def _alternatives(self) -> Any:
        def extension(certificate: x509.Certificate) -> Any:
            return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

        try:
            return self._read(extension)
        except x509.ExtensionNotFound:
            return x509.SubjectAlternativeName([])

    def _read(self, part: Callable[[x509.Certificate], Any]) -> Any:
        """Fields are parsed when they are asked for, and may be broken where the whole looks sound."""
        try:
            return part(self._parsed)
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            raise NotACertificate("a broken certificate") from None


_KINDS: Mapping[str, tuple[Any, Callable[[Any], str]]] = {
    "dns": (x509.DNSName, str.lower),
    "uri": (x509.UniformResourceIdentifier, str),
    "ip": (x509.IPAddress, str),
    "email": (x509.RFC822Name, str),
}


def read_certificate(header: str, *, verified: bool = False) -> ClientCertificate:
    """From a proxy's header: RFC 9440 (":base64:"), PEM with any white space, PEM in URL encoding, bare base64 of DER.

    Exactly one certificate; raises NotACertificate for anything else.
    """
    if len(header) > MAX_CHARS:
        raise NotACertificate("too long")
    text = (unquote(header) if "%" in header else header).strip()
    if text.startswith(":") and text.endswith(":") and len(text) > 2:
        text = text[1:-1]
    elif "-----" in text:
        armoured = _ARMOUR.fullmatch(text)
        if armoured is None:
            raise NotACertificate("not exactly one certificate in PEM")
        text = armoured[1]
    try:
        der = base64.b64decode(_WHITESPACE.sub("", text), validate=True)
    except ValueError:
        raise NotACertificate("not base64") from None
    certificate = ClientCertificate(der, verified)
    _ = certificate.public_key, certificate.subject
    return certificate


def read_distinguished_name(text: str) -> DistinguishedName:
    """RFC 4514 as people write it: names of attributes in any case, white space around separators, "\\," and the
    like for characters that separate. Values are compared byte by byte. Raises ValueError."""
    spelt = _ATTRIBUTE.sub(_in_numbers, text.strip())
    try:
        name = x509.Name.from_rfc4514_string(_BEFORE_SEPARATOR.sub("", spelt))
    except (ValueError, KeyError, TypeError):
        raise ValueError("not a distinguished name (RFC 4514)") from None
    if not name.rdns:
        raise ValueError("not a distinguished name (RFC 4514)")
    return _name(name)


def _in_numbers(match: re.Match[str]) -> str:
    name = match[2]
    oid = name if name[0].isdigit() else _OIDS.get(name.upper())
    if oid is None:
        raise ValueError(f"not a distinguished name (RFC 4514): unknown attribute {name[:40]}")
    return f"{match[1]}{oid}="


def _name(name: x509.Name) -> DistinguishedName:
    return tuple(
        frozenset((attribute.oid.dotted_string, _text(attribute.value)) for attribute in relative)
        for relative in name.rdns
    )


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()
