"""Client certificates, as far as tokens are bound to them (RFC 8705 section 3): their thumbprint, and where they come
from when TLS ends at a proxy."""

from __future__ import annotations

import ssl
from base64 import b64decode, urlsafe_b64encode
from hashlib import sha256
from urllib.parse import unquote

Certificate = bytes | str
"""DER, or PEM as text."""

MAX_HEADER_CHARS = 16384
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def certificate_thumbprint(certificate: Certificate) -> str:
    """`x5t#S256`: SHA-256 of the DER in base64url (RFC 8705 section 3.1); an empty text for what is no certificate."""
    try:
        der = ssl.PEM_cert_to_DER_cert(certificate) if isinstance(certificate, str) else certificate
    except ValueError:
        return ""
    return urlsafe_b64encode(sha256(der).digest()).rstrip(b"=").decode("ascii")


def certificate_in(header: str | None) -> Certificate | None:
    """The certificate that a proxy wrote into a header: as RFC 9440 says (`:base64:`), or PEM, percent-encoded or not.

    None for an absent header and for anything else. Only for a header that the proxy sets, or removes, on each request.
    """
    if not header or len(header) > MAX_HEADER_CHARS:
        return None
    text = header.strip()
    if text.startswith(":") and text.endswith(":") and len(text) > 2:
        try:
            return b64decode(text[1:-1], validate=True)
        except ValueError:
            return None
    return _first_pem(unquote(text))


def _first_pem(text: str) -> str | None:
    """Headers have no line ends: what stands between the two marks is put into lines again."""
    start, end = text.find(_BEGIN), text.find(_END)
    if start < 0 or end < start:
        return None
    body = "".join(text[start + len(_BEGIN) : end].split())
    return f"{_BEGIN}\n{body}\n{_END}\n"
