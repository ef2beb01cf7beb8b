"""The house keeps its shape: layout, who may import whom, who reads the clock, thin pages, short functions.

Source: house.md sections 1, 2 and 8.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOP_LEVEL = {"pyproject.toml", "README.md", "app.py", "pages", "core", "tests", "seed"}
THIRD_PARTY = {"streamlit", "altair", "polars", "sqlalchemy", "sqlmodel", "alembic", "babel", "stdnum", "xlsxwriter",
               "psycopg", "starlette", "pandas", "numpy", "pyarrow", "scipy", "lifelines", "vl_convert"}  # fmt: skip
# Which rooms of core a room may import; itself always.
MAY_IMPORT = {
    "domain": set(),
    "frames": {"domain"},
    "language": {"domain"},
    "calc": {"domain", "frames"},
    "store": {"domain", "frames"},
    "exchange": {"domain", "frames", "store", "calc", "language"},
    "actions": {"domain", "frames", "store", "calc", "exchange"},
    "reports": {"domain", "frames", "store", "calc", "language"},
    "documents": {"domain", "frames", "store", "calc", "language", "reports"},
    "ui": {"domain", "frames", "store", "calc", "language", "exchange", "actions", "reports", "documents"},
    "__main__": {"domain", "store", "actions", "reports", "exchange", "documents"},
}
LIBRARIES = {
    "domain": set(),
    "frames": {"polars"},
    "language": {"babel"},
    "calc": {"polars", "numpy", "scipy", "lifelines"},
    "store": {"polars", "sqlalchemy", "sqlmodel", "alembic"},
    "exchange": {"polars", "xlsxwriter", "sqlalchemy"},
    "actions": {"polars", "sqlalchemy", "stdnum"},
    "reports": {"polars", "numpy", "sqlalchemy"},
    "documents": {"polars", "sqlalchemy", "typst"},
}
DATABASES = {"connectorx", "duckdb", "adbc_driver_sqlite", "adbc_driver_manager", "pickle"}  # house.md section 9
STATEMENTS = {"text", "execute", "exec_driver_sql"}
CLOCKS = {"now", "today", "utcnow"}
READS_THE_CLOCK = {"core/ui/session.py", "core/__main__.py", "seed/__main__.py"}
LONGEST_FUNCTION = 70
LONGEST_PAGE = 120


def modules(folder: str) -> list[Path]:
    """Python files below a folder."""
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "versions" not in path.parts)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, inside functions too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "core":
                yield from (f"core.{alias.name}" for alias in node.names)


def room(path: Path) -> str:
    return path.relative_to(ROOT / "core").parts[0].removesuffix(".py")


CORE = [path for path in modules("core") if path.name != "__init__.py" or path.parent != ROOT / "core"]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_nothing_else_stands_at_the_top() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tops = {line.split("/")[0] for line in listed.splitlines()}
    assert {top for top in tops if not top.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("path", CORE, ids=name)
def test_a_room_imports_only_the_floors_below(path: Path) -> None:
    rooms = {found.split(".")[1] for found in imports(path) if found.startswith("core.")}
    assert rooms - {room(path)} <= MAY_IMPORT[room(path)]


@pytest.mark.parametrize("path", CORE, ids=name)
def test_a_room_uses_only_its_libraries(path: Path) -> None:
    used = {found.split(".")[0] for found in imports(path)} & THIRD_PARTY
    assert room(path) not in LIBRARIES or used <= LIBRARIES[room(path)]


@pytest.mark.parametrize("path", modules("core/domain"), ids=name)
def test_the_domain_needs_nothing_but_python(path: Path) -> None:
    assert {found.split(".")[0] for found in imports(path)} <= {"core", *sys.stdlib_module_names}


@pytest.mark.parametrize("path", CORE, ids=name)
def test_only_the_ui_knows_streamlit(path: Path) -> None:
    used = {found.split(".")[0] for found in imports(path)}
    assert room(path) == "ui" or not used & {"streamlit", "altair"}


@pytest.mark.parametrize("path", [*modules("core"), *modules("seed"), *modules("pages")], ids=name)
def test_the_clock_is_read_in_one_place(path: Path) -> None:
    calls = [
        node for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
        and isinstance(node.func.value, ast.Name) and node.func.value.id in {"date", "datetime", "dt"}
    ]  # fmt: skip
    assert not calls or name(path) in READS_THE_CLOCK


@pytest.mark.parametrize("path", modules("pages"), ids=name)
def test_a_page_is_thin(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGEST_PAGE
    assert not {found.split(".")[0] for found in imports(path)} & {"polars", "sqlalchemy", "sqlmodel", "altair"}
    assert "session.open_page(" in source


@pytest.mark.parametrize("path", [*CORE, *modules("pages"), *modules("seed")], ids=name)
def test_a_module_says_what_it_does_and_its_functions_are_short(path: Path) -> None:
    parsed = tree(path)
    functions = [node for node in ast.walk(parsed) if isinstance(node, ast.FunctionDef)]
    long = [node.name for node in functions if (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION]
    untyped = [node.name for node in functions if node.returns is None]
    assert ast.get_docstring(parsed) or path.stat().st_size == 0 or path.name == "__init__.py"
    assert (long, untyped) == ([], [])


@pytest.mark.parametrize("path", [*CORE, *modules("pages")], ids=name)
def test_nothing_dangerous_is_used(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert "unsafe_allow_html" not in source
    assert "st.html(" not in source
    assert not {found.split(".")[0] for found in imports(path)} & DATABASES
    assert "from __future__ import annotations" not in source or path.name != "tables.py"


@pytest.mark.parametrize("path", [*CORE, *modules("pages")], ids=name)
def test_no_statement_is_glued_together_from_values(path: Path) -> None:
    glued = [
        node.lineno for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in STATEMENTS
        and node.args and isinstance(node.args[0], ast.JoinedStr) and not _names_only(node.args[0]) and ast.unparse(node.func) != "st.text"
    ]  # fmt: skip
    assert glued == []


def _names_only(statement: ast.JoinedStr) -> bool:
    """Are its places names of the schema and settings, which come from the models and never from a person?"""
    fillers = {ast.unparse(part.value) for part in statement.values if isinstance(part, ast.FormattedValue)}
    return fillers <= {"name", "value", "sequence", "table.name", "names", "places", "LOCK_WAIT"}


@pytest.mark.parametrize("path", CORE, ids=name)
def test_money_is_never_a_float(path: Path) -> None:
    floats = [
        node.lineno for node in ast.walk(tree(path))
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None
        and "float" in ast.unparse(node.annotation)
        and ast.unparse(node.target if isinstance(node, ast.AnnAssign) else ast.Name(node.arg)).endswith(("_minor", "_micro", "_ppm"))
    ]  # fmt: skip
    assert floats == []


def test_the_commands_know_their_permissions() -> None:
    from core.actions.command import COMMANDS
    from core.domain.access import Permission

    for module in modules("core/actions"):
        __import__(".".join(module.relative_to(ROOT).with_suffix("").parts))
    assert len(COMMANDS) > 20
    assert {type(permission) for permission in COMMANDS.values()} == {Permission}
