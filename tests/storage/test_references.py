"""ReferenceStore: what an opaque access token stands for."""

from __future__ import annotations

from tests.conftest import Stores
from tests.storage.builders import a_reference_token, digest


async def test_a_token_says_what_it_said_until_it_expires(stores: Stores) -> None:
    token = a_reference_token(claims={"sub": "ü", "authorization_details": [{"note": "\ud800\x00"}], "exp": 5})
    await stores.references.add(token)
    await stores.references.add(a_reference_token())
    assert await stores.references.get(token.handle_hash, now=token.expires_at - 1) == token
    assert await stores.references.get(token.handle_hash, now=token.expires_at) is None
    assert await stores.references.get(digest("another"), now=0) is None


async def test_a_token_that_is_sent_twice_after_a_lost_answer_is_kept_once(stores: Stores) -> None:
    token = a_reference_token()
    for _ in range(2):
        await stores.references.add(token)
    assert await stores.references.get(token.handle_hash, now=0) == token
