"""Files of users: every line is read for itself."""

from __future__ import annotations

import io

import pytest

from authserver.cli.user_files import LineError, UserLine, check_hash, read_users

HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b7dWRWJTmaaJObG"


def users_of(text: str) -> list[UserLine | tuple[int, str]]:
    return [item if isinstance(item, UserLine) else (item[0], str(item[1])) for item in read_users(io.StringIO(text))]


def test_a_csv_file_is_read_by_its_header() -> None:
    assert users_of("password,username\nhorse battery,ada\n") == [
        UserLine(number=2, username="ada", password="horse battery")
    ]


def test_a_quoted_csv_field_keeps_its_commas_and_quotes() -> None:
    (user,) = users_of('username,password\nada,"a, ""b"" c"\n')
    assert isinstance(user, UserLine)
    assert user.password == 'a, "b" c'


def test_json_lines_are_read_one_by_one_and_blank_lines_skipped() -> None:
    text = '{"username":"ada","password":"one two three"}\n\n{"username":"bob","enabled":false}\n'
    assert users_of(text) == [
        UserLine(number=1, username="ada", password="one two three"),
        UserLine(number=3, username="bob", enabled=False),
    ]


def test_a_byte_order_mark_does_not_become_part_of_a_name() -> None:
    assert users_of("\ufeffusername\nada\n") == [UserLine(number=2, username="ada")]
    assert users_of('\ufeff{"username":"ada"}\n') == [UserLine(number=1, username="ada")]


def test_an_export_can_be_imported_again() -> None:
    line = '{"id":"018f","username":"ada","enabled":true,"created_at":"2026-01-01T00:00:00.000Z"}\n'
    assert users_of(line) == [UserLine(number=1, username="ada")]


def test_bad_lines_carry_their_number_and_leave_the_others_alone() -> None:
    text = '{"username":"ada"}\n{"username":\n[1]\n{"username":"bob","role":"x"}\n{"username":"eve"}\n'
    assert users_of(text) == [
        UserLine(number=1, username="ada"),
        (2, "is not JSON"),
        (3, "is not a JSON object"),
        (4, "unknown field 'role'; known are claims, enabled, password, password_hash, username"),
        UserLine(number=5, username="eve"),
    ]


def test_a_csv_line_of_the_wrong_width_is_named() -> None:
    assert users_of("username,password\nada\nbob,a long password\n") == [
        (2, "has 1 values, the header has 2"),
        UserLine(number=3, username="bob", password="a long password"),
    ]


def test_a_csv_file_without_a_username_column_is_refused_whole() -> None:
    assert users_of("name,password\nada,secret\n") == [(1, "the header must name the columns, at least username")]


def test_an_empty_file_holds_nobody() -> None:
    assert users_of("") == []
    assert users_of("username,password\n") == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"password":"x"}', "username is missing"),
        ('{"username":7}', "username is not text"),
        ('{"username":"a","enabled":"perhaps"}', "enabled is neither true nor false"),
        ('{"username":"a","password":"b","password_hash":"c"}', "has both password and password_hash"),
        ('{"username":"a","password_hash":"5f4dcc3b5aa765d61d8327deb882cf99"}', "is not an argon2 hash"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(line: str, complaint: str) -> None:
    (_, (number, error)) = users_of('{"username":"first"}\n' + line + "\n")
    assert number == 2
    assert complaint in error


def test_a_complaint_never_repeats_a_password() -> None:
    (_, error) = users_of('{"username":"a"}\n{"username":"b","password":"hunter2 hunter2","password_hash":"x"}\n')
    assert "hunter2" not in str(error)
    assert "hunter2" not in repr(users_of('{"username":"b","password":"hunter2 hunter2"}\n'))


def test_an_argon2id_hash_is_taken_as_it_is() -> None:
    assert check_hash(HASH) == HASH


@pytest.mark.parametrize(
    "text",
    [
        HASH.replace("argon2id", "argon2i"),
        HASH.replace("m=19456", "m=99999999"),
        HASH.replace("t=2", "t=9999"),
        HASH.replace("p=1", "p=200"),
        HASH.replace("m=19456", "m=x"),
        HASH[:30],
        "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
    ],
)
def test_a_hash_of_another_kind_or_of_unbearable_cost_is_refused(text: str) -> None:
    with pytest.raises(LineError, match="password_hash"):
        check_hash(text)
