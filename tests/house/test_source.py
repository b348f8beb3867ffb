"""Rules about the source itself, each of which is shown to bite."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import authserver

PACKAGE = Path(authserver.__file__).parent
ROOT = PACKAGE.parent
LONGEST_FILE = 300
LONGEST_FUNCTION = 60


def sources(directory: Path) -> Iterator[Path]:
    return (path for path in sorted(directory.rglob("*.py")) if "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def calls(path: Path, name: str) -> list[int]:
    """Lines on which `name(...)` or `something.name(...)` is called."""
    tree = ast.parse(path.read_text())
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node.func) == name]


def asserts(path: Path) -> list[int]:
    return [node.lineno for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assert)]


def _called(function: ast.expr) -> str:
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def test_no_file_is_too_long_to_read_in_one_go() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in sources(PACKAGE)}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def functions(directory: Path) -> Iterator[tuple[str, int]]:
    for path in sources(directory):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name_of(path)}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def test_functions_are_short() -> None:
    lengths = sorted(length for _, length in functions(PACKAGE))
    assert lengths[len(lengths) // 2] <= 10
    assert lengths[len(lengths) * 9 // 10] <= 30


def test_no_function_is_a_wall() -> None:
    assert [name for name, length in functions(PACKAGE) if length > LONGEST_FUNCTION] == []


def test_only_the_command_line_prints() -> None:
    printing = [name_of(path) for path in sources(PACKAGE) if calls(path, "print")]
    assert [name for name in printing if not name.startswith("authserver/cli/")] == []


def test_nothing_is_asserted_that_callers_could_break() -> None:
    """`python -O` drops asserts."""
    assert [f"{name_of(path)}:{line}" for path in sources(PACKAGE) for line in asserts(path)] == []


def test_no_test_is_skipped() -> None:
    skipping = [
        f"{name_of(path)}:{line}"
        for path in sources(ROOT / "tests")
        for name in ("skip", "skipif", "importorskip", "xfail")
        for line in calls(path, name)
    ]
    assert skipping == []


def test_every_module_says_what_it_is() -> None:
    silent = [name_of(path) for path in sources(PACKAGE) if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_the_rules_bite(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import pytest\ndef f():\n    print(1)\n    pytest.skip('later')\n    assert f\n")
    assert calls(bad, "print") == [3]
    assert calls(bad, "skip") == [4]
    assert asserts(bad) == [5]
