"""Client secrets that the server can make again, for clients that sign with them (client_secret_jwt).

To check an HMAC one needs its key, and of secrets only hashes are kept. So such a secret is computed from the master
key and the secret's id: the database holds no more than for any other secret, and without the master key it is worth
nothing.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence

from authserver.model.client import Client
from authserver.model.time import Instant
from authserver.tokens.handles import client_secret_hash
from authserver.tokens.masterkey import MasterKey


class DerivedSecrets:
    def __init__(self, master: MasterKey) -> None:
        self._key = master.derive("client secret")

    def text(self, client_id: str, secret_id: str) -> str:
        """256 bits in base64url."""
        tag = hmac.digest(self._key, f"{secret_id} {client_id}".encode(), "sha256")
        return base64.urlsafe_b64encode(tag).rstrip(b"=").decode("ascii")

    def of(self, client: Client, now: Instant) -> Sequence[str]:
        """The client's secrets that have not expired, of those that were derived."""
        living = [secret for secret in client.secrets if secret.expires_at is None or secret.expires_at > now]
        texts = [(self.text(client.id, secret.id), secret.sha256) for secret in living]
        return [text for text, kept in texts if hmac.compare_digest(client_secret_hash(text), kept)]
