"""What strangers wrote is shown so that it cannot hide, turn round or pose as something else."""

from __future__ import annotations

import pytest

from authserver.web.display import (
    host_of,
    is_on_this_device,
    leads_to,
    program_of,
    source_of,
    visible,
    visible_lines,
    when,
)


@pytest.mark.parametrize(
    "hidden", ["\u202e", "\u2066", "\u200b", "\u200f", "\x00", "\x1b", "\u2028", "\ufeff", "\U000e0041", "\ud800"]
)
def test_what_is_not_seen_becomes_a_mark(hidden: str) -> None:
    assert visible(f"Pay{hidden}Pal") == "Pay\ufffdPal"


def test_names_in_any_script_stay_as_they_are() -> None:
    for name in ("Zoë's app", "日本語アプリ", "تطبيق", "приложение", "O'Brien & Söhne", "👩 app"):
        assert visible(name) == name


def test_piles_of_marks_are_cut_down() -> None:
    assert visible("a" + "\u0489" * 50) == "a" + "\u0489" * 3


def test_long_names_are_cut() -> None:
    assert visible("a" * 5000) == "a" * 99 + "…"
    assert visible("a" * 100) == "a" * 100


def test_lines_stay_lines() -> None:
    assert visible_lines('{\n  "a": "\u202eb"\n}') == '{\n  "a": "\ufffdb"\n}'


def test_nothing_of_several_lines_is_cut_off() -> None:
    text = "\n".join(["x" * 1000] * 1000)
    assert visible_lines(text) == text
    assert visible_lines("a\u2028b\rc") == "a\ufffdb\ufffdc"


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("https://app.example/cb", "app.example"),
        ("https://app.example:8443/cb", "app.example:8443"),
        ("https://user@evil.example/cb", "evil.example"),
        ("https://APP.Example/cb", "app.example"),
        ("https://аpple.example/cb", "xn--pple-43d.example"),
        ("http://127.0.0.1:4711/cb", "127.0.0.1:4711"),
        ("http://[::1]:4711/cb", "[::1]:4711"),
        ("com.example.app:/cb", "com.example.app:"),
    ],
)
def test_the_host_is_the_one_that_gets_the_answer(uri: str, host: str) -> None:
    assert host_of(uri) == host


def test_a_uri_that_is_none_is_shown_all_the_same() -> None:
    assert host_of("https://[/\u202ex") == "https://[/\ufffdx"


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://app.example/cb?x=1", "https://app.example"),
        ("http://127.0.0.1:4711/cb", "http://127.0.0.1:4711"),
        ("http://[::1]:4711/cb", "http:"),
        ("com.example.app:/cb", "com.example.app:"),
        ("https://a;script-src *@x/cb", "https:"),
        ("x y:/cb", "'self'"),
    ],
)
def test_a_form_may_lead_to_the_origin_and_nothing_is_added_to_the_policy(uri: str, source: str) -> None:
    assert source_of(uri) == source
    assert ";" not in source_of(uri)


@pytest.mark.parametrize(
    ("uri", "sources"),
    [
        ("https://app.example/cb", ("https://app.example", "https:")),
        ("com.example.app:/cb", ("com.example.app:", "https:")),
        (
            "http://127.0.0.1:4711/cb",
            ("http://127.0.0.1:4711", "https:", "http://127.0.0.1:*", "http://localhost:*"),
        ),
    ],
)
def test_an_application_may_lead_on_from_its_callback(uri: str, sources: tuple[str, ...]) -> None:
    assert leads_to(uri) == sources


@pytest.mark.parametrize(
    ("uri", "here"),
    [
        ("http://127.0.0.1:1/cb", True),
        ("http://localhost/cb", True),
        ("com.example.app:/cb", True),
        ("https://app.example/cb", False),
        ("https://localhost.example/cb", False),
    ],
)
def test_programs_of_this_device_are_told_from_sites(uri: str, here: bool) -> None:
    assert is_on_this_device(uri) is here


def test_times_are_short_and_say_their_zone() -> None:
    assert when(1_700_000_000_000) == "2023-11-14 22:13 UTC"


KHTML = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "program"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0) {KHTML} Chrome/156.0 Safari/537.36 Edg/156.0", "Edge on Windows"),
        (f"Mozilla/5.0 (Linux; Android 16) {KHTML} Chrome/156.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iPhone"),
        ("python-httpx/0.28", "python-httpx/0.28"),
        ("", "Unknown program"),
        ("evil\u202eagent", "evil\ufffdagent"),
    ],
)
def test_programs_are_named_as_people_know_them(user_agent: str, program: str) -> None:
    assert program_of(user_agent) == program
