"""One Client ID Metadata Document: what is taken for one, and the client that it describes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from authserver.administration.fields import Reader
from authserver.model.client import Client
from authserver.model.time import DAY, HOUR, MINUTE, SECOND, Duration, Instant
from authserver.oauth.errors import OAuthError
from authserver.outgoing import Fetched, OutgoingError, OutgoingFailed, OutgoingRefused
from authserver.outgoing.documents import read_json
from authserver.registration.metadata import read_metadata
from authserver.registration.policy import DOCUMENT_METHODS, RegistrationPolicy

MAX_BYTES: Final = 5 * 1024
"""Section 6.6 of the draft recommends it."""
MAX_DEPTH: Final = 6
"""As deep as a key set with certificates, and no deeper."""
SHORTEST, LONGEST, USUAL = MINUTE, DAY, HOUR
"""How long a document may be kept: at least, at most, and when its server does not say."""

_SECRETS: Final = ("client_secret", "client_secret_expires_at")
_MAX_AGE = re.compile(r"max-age=\"?([0-9]{1,9})\"?")
_JSON = re.compile(r"application/(?:json|[a-z0-9][a-z0-9.!#$&^_-]*\+json)")


@dataclass(frozen=True, slots=True)
class DocumentRules:
    policy: RegistrationPolicy
    methods: Collection[str]
    """Authentication methods that this server has on."""
    readers: Mapping[str, Reader]

    def client(self, fetched: Fetched, before: Client) -> Client:
        """`before` (blank for a new one) as the document at its id describes it; raises OutgoingError."""
        document = _document(fetched)
        _require(document, before.id)
        if "token_endpoint_auth_method" not in document:
            document = {**document, "token_endpoint_auth_method": "none"}
        methods = [method for method in DOCUMENT_METHODS if method in self.methods]
        try:
            return read_metadata(document, self.readers).client(before, self.policy, methods)
        except OAuthError as error:
            raise OutgoingRefused(f"holds a document that cannot be taken: {error.description}") from None


def blank(client_id: str, now: Instant) -> Client:
    return Client(id=client_id, name=client_id, auth_method="none", origin="document", created_at=now, updated_at=now)


def kept_for(fetched: Fetched) -> Duration:
    """By Cache-Control (RFC 9111), within bounds: neither asked for at every request nor believed for ever."""
    said = fetched.headers.get("cache-control", "").lower()
    if "no-store" in said or "no-cache" in said:
        return SHORTEST
    found = _MAX_AGE.search(said)
    if found is None:
        return USUAL
    return min(max(int(found.group(1)) * SECOND, SHORTEST), LONGEST)


def _document(fetched: Fetched) -> Mapping[str, object]:
    """Only a 200 counts (section 4 of the draft); a server in trouble says nothing about clients."""
    if fetched.status >= 500 or fetched.status == 429:
        raise OutgoingFailed(f"answers with status {fetched.status}")
    if fetched.status != 200:
        raise OutgoingRefused(f"answers with status {fetched.status}")
    if not _JSON.fullmatch(fetched.media_type):
        raise OutgoingRefused("answers with another media type than JSON")
    document = read_json(fetched.body, max_depth=MAX_DEPTH)
    if not isinstance(document, dict):
        raise OutgoingRefused("holds no JSON object")
    return document


def _require(document: Mapping[str, object], client_id: str) -> None:
    if document.get("client_id") != client_id:
        raise OutgoingRefused("holds the document of another client_id")
    if not isinstance(document.get("client_name"), str):
        raise OutgoingRefused("holds a document without client_name")
    if not document.get("redirect_uris"):
        raise OutgoingRefused("holds a document without redirect_uris")
    for member in _SECRETS:
        if member in document:
            raise OutgoingRefused("holds a document with a secret that everybody can read")


__all__ = ["LONGEST", "MAX_BYTES", "DocumentRules", "OutgoingError", "blank", "kept_for"]
