"""Which headers say what certificate a client showed, and from whom that is believed (RFC 9440 section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

VERIFIED = b"SUCCESS"
"""What nginx and Apache write when they have found the chain of a certificate good."""
_NOTHING = frozenset({b"", b"-", b"(null)"})
"""How they write that there was none."""


@dataclass(frozen=True, slots=True)
class CertificateHeader:
    """Takes the headers out of every request, so that nothing behind can believe one that anybody may have sent."""

    name: str = ""
    """Of the header with the certificate; "": certificates are not looked for."""
    verified_name: str = ""
    """Of the header that says whether its chain is good; "": none is taken for verified."""

    def take(self, scope: Scope, trusted: bool) -> None:
        """`trusted`: the request came from a trusted proxy itself. What it says goes to `scope["client_certificate"]`,
        as the header's text and whether the certificate was verified."""
        if not self.name:
            return
        shown, verified = self.name.lower().encode("ascii"), self.verified_name.lower().encode("ascii")
        certificates: list[bytes] = []
        results: list[bytes] = []
        others: list[tuple[bytes, bytes]] = []
        for name, value in scope["headers"]:
            kept = certificates if name == shown else results if verified and name == verified else None
            if kept is None:
                others.append((name, value))
            else:
                kept.append(value.strip())
        if not certificates and not results:
            return
        scope["headers"] = others
        # Two headers stay two, joined by what no certificate has in it: which of them counts cannot be said.
        said = b",".join(certificates)
        if trusted and said not in _NOTHING:
            scope["client_certificate"] = (said.decode("latin-1"), results == [VERIFIED])
