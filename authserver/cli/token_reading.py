"""What a piece of text is to this server: a refresh token, an access token, or neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authserver.model.errors import InvalidToken, NotFound
from authserver.model.revocation import RevocationTarget
from authserver.tokens.handles import MalformedHandle, RefreshHandle

if TYPE_CHECKING:
    from authserver.services import Services


def as_refresh(services: Services, text: str) -> RefreshHandle | None:
    """The handle if the text is a refresh token of ours (it carries our tag), spent or not."""
    try:
        return services.refresh_handles.parse(text)
    except MalformedHandle:
        return None


def revocable(services: Services, text: str) -> RevocationTarget:
    """What to revoke so that this token is refused; raises NotFound for one that is not ours or has expired."""
    handle = as_refresh(services, text)
    if handle is not None:
        return RevocationTarget(kind="family", value=handle.family_id)
    try:
        claims = services.access_tokens.verify(text)
    except InvalidToken as error:
        raise NotFound(f"no token to revoke: {error.description}") from None
    return RevocationTarget(kind="jti", value=claims.jti, expires_at=claims.exp)
