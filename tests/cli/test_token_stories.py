"""authserver token explain: of codes, id tokens, opaque tokens and traded ones; how each of them came to be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.cli.conftest import Desk

VERIFIER = "a-verifier-of-forty-three-characters-at-least"
CALLBACK = "https://app.example/cb"


@pytest.fixture
def web(cli: Desk) -> str:
    """A client of browsers, and Ada."""
    cli.user("ada")

    async def add(services: Any) -> None:
        from authserver.model.audit import SYSTEM
        from authserver.model.client import Client

        client = Client(
            id="web",
            name="Web",
            auth_method="none",
            grant_types=("authorization_code", "refresh_token"),
            scopes=("openid", "read", "offline_access"),
            redirect_uris=(CALLBACK,),
            first_party=True,
        )
        await services.clients.add(client, event=_created(services))
        service = replace(
            client, id="service", auth_method="client_secret_basic", scopes=("read",), token_exchange_clients=("web",)
        )
        await services.clients.add(service, event=_created(services, SYSTEM))

    cli.services(add)
    return "web"


def _created(services: Any, caller: Any = None) -> Any:
    from authserver.audit.events import EventType
    from authserver.model.audit import SYSTEM

    return services.audit.event(EventType.CLIENT_CREATED, caller or SYSTEM)


async def _begin(services: Any) -> tuple[Any, Any]:
    """A browser session of Ada's, and the client."""
    from authserver.model.audit import Caller
    from authserver.sessions.lifecycle import LogIn

    user, client = await services.directory.by_username("ada"), await services.clients.get("web")
    caller = Caller(actor="anonymous", address="192.0.2.7", user_agent="tests")
    begun = await services.sessions.begin(LogIn(user=user, client=client, mode="session", amr=("pwd",)), caller)
    return begun.session, client


async def a_code(services: Any, scope: tuple[str, ...] = ("openid", "read")) -> str:
    from authserver.model.audit import Caller
    from authserver.model.authorization import AuthorizationRequest
    from authserver.oauth.flow import PendingRequest
    from authserver.oauth.pkce import challenge_of

    session, client = await _begin(services)
    request = AuthorizationRequest(
        client_id="web",
        redirect_uri=CALLBACK,
        scope=scope,
        resources=(services.issuer,),
        code_challenge=challenge_of(VERIFIER),
        nonce="n",
    )
    pending = PendingRequest(request=request, client=client, started_at=services.now())
    answer = await services.authorization_flow.issue(pending, session, scope, Caller(actor="anonymous"))
    return str(answer.parameters["code"])


async def redeemed(services: Any, code: str) -> dict[str, Any]:
    from authserver.model.audit import Caller
    from authserver.oauth.form import Form

    client = await services.clients.get("web")
    form = Form({"code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER})
    authorization = await services.grants["authorization_code"].redeem(client, form, Caller(actor="anonymous"))
    return dict(await services.issuance.answer(authorization))


async def tokens(services: Any, scope: tuple[str, ...] = ("openid", "read")) -> dict[str, Any]:
    return await redeemed(services, await a_code(services, scope))


def explain(cli: Desk, text: str) -> Any:
    return cli.try_("token", "explain", "--json", typed=text).json


def steps(story: Any) -> list[str]:
    return [step["step"] for step in story["lineage"]]


def rules(story: Any) -> list[str]:
    return [refusal["rule"] for refusal in story["refused_by"]]


def test_a_code_is_explained_before_and_after_it_was_spent(cli: Desk, web: str) -> None:
    code = cli.services(a_code)
    story = explain(cli, code)
    assert (story["kind"], story["alive"], rules(story)) == ("authorization_code", True, [])
    assert (story["token"]["redirect_uri"], story["token"]["spent_at"]) == (CALLBACK, None)
    assert story["session"]["address"] == "192.0.2.7"
    assert "code.issued" in [event["type"] for event in story["events"]]
    cli.services(lambda services: redeemed(services, code))
    story = explain(cli, code)
    assert (story["alive"], rules(story)) == (False, ["spent"])
    assert story["token"]["spent_at"] is not None
    assert story["family"]["family_id"] == story["token"]["family_id"]
    assert "authorization code redeemed" in steps(story)
    assert "it was redeemed" in cli.try_("token", "explain", typed=code).out


def test_a_code_of_a_session_that_has_ended_is_refused_for_that(cli: Desk, web: str) -> None:
    code = cli.services(a_code)
    cli("sessions", "end", explain(cli, code)["session"]["session_id"])
    assert "session" in rules(explain(cli, code))


def test_the_tokens_of_a_code_tell_how_they_came_about(cli: Desk, web: str) -> None:
    got = cli.services(tokens)
    story = explain(cli, got["access_token"])
    assert story["alive"] is True
    assert steps(story) == ["log-in", "authorization code redeemed"]
    assert [step["client_id"] for step in story["lineage"]] == ["web", "web"]
    refresh = explain(cli, got["refresh_token"])
    assert (refresh["kind"], steps(refresh)) == ("refresh_token", steps(story))
    assert "authorization code redeemed" in cli("token", "explain", typed=got["access_token"]).out


def test_offline_tokens_name_the_code_that_opened_them(cli: Desk, web: str) -> None:
    async def offline(services: Any) -> dict[str, Any]:
        return await tokens(services, ("openid", "read", "offline_access"))

    got = cli.services(offline)
    for name in ("refresh_token", "access_token"):
        assert "authorization code redeemed" in steps(explain(cli, got[name])), name


def test_an_id_token_is_explained_and_ends_with_its_session(cli: Desk, web: str) -> None:
    got = cli.services(tokens)
    story = explain(cli, got["id_token"])
    assert (story["kind"], story["alive"], rules(story)) == ("id_token", True, [])
    assert (story["token"]["client_id"], story["token"]["nonce"]) == ("web", "n")
    assert story["user"]["username"] == "ada"
    cli("revoke", "session", story["session"]["session_id"], "--reason", "lost laptop")
    story = explain(cli, got["id_token"])
    assert (story["alive"], rules(story)) == (False, ["session"])
    assert "lost laptop" in str(story["events"])


def test_an_opaque_token_is_verified_and_explained_like_any_other(cli: Desk, web: str) -> None:
    async def opaque(services: Any) -> dict[str, Any]:
        stored = await services.clients.get("web")
        changed = replace(stored, access_token_format="opaque")
        await services.clients.update(changed, unless_changed_since=stored.updated_at, event=_created(services))
        return await tokens(services)

    token = cli.services(opaque)["access_token"]
    assert "." not in token
    verdict = cli.json("token", "verify", typed=token)
    assert (verdict["valid"], verdict["claims"]["client_id"]) == (True, "web")
    story = explain(cli, token)
    assert (story["kind"], story["alive"], story["key"]) == ("access_token", True, None)
    assert (story["token"]["format"], steps(story)) == ("opaque", ["log-in", "authorization code redeemed"])
    cli("revoke", "token", "--reason", "pasted into a chat", typed=token)
    story = explain(cli, token)
    assert (story["alive"], rules(story)) == (False, ["jti"])
    assert "pasted into a chat" in str(story["events"])
    assert cli.try_("token", "verify", typed=token).status == 1


def test_a_traded_token_tells_for_whose_it_was_traded_and_who_acts(cli: Desk, web: str) -> None:
    async def traded(services: Any) -> dict[str, Any]:
        from authserver.model.audit import Caller
        from authserver.oauth.form import Form

        client, code = await services.clients.get("web"), await a_code(services)
        form = Form({"code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER})
        authorization = await services.grants["authorization_code"].redeem(client, form, Caller(actor="anonymous"))
        mine = await services.issuance.access_token(replace(authorization, audience=("service",)))
        grant = services.grants["urn:ietf:params:oauth:grant-type:token-exchange"]
        kind = "urn:ietf:params:oauth:token-type:access_token"
        asked = Form({"subject_token": mine.token, "subject_token_type": kind, "resource": services.issuer})
        service = await services.clients.get("service")
        given = await grant.redeem(service, asked, Caller(actor="anonymous"))
        return dict(await services.issuance.answer(given))

    story = explain(cli, cli.services(traded)["access_token"])
    assert story["alive"] is True
    assert story["token"]["actors"] == ["service"]
    assert steps(story) == ["log-in", "authorization code redeemed", "exchanged", "acted for"]
    assert story["lineage"][2]["detail"] == "for a token of web"
    assert "token.exchanged" in [event["type"] for event in story["events"]]


def test_a_programs_token_and_a_minted_one_say_so(cli: Desk) -> None:
    cli.program("robot")
    cli.start_once()
    story = explain(cli, cli("token", "issue", "robot").out.strip())
    assert steps(story) == ["minted by an operator"]


def test_a_token_that_is_of_no_kind_is_none(cli: Desk) -> None:
    cli.start_once()
    for text in ("x" * 68, "AQ" + "A" * 66, "e30.e30.e30"):
        ran = cli.try_("token", "explain", typed=text)
        assert ran.status == 1
        assert ran.err
