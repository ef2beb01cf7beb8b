"""Finds every sentence of the product in its source, by `ast`: what goes through `t`, and what `core` says by itself.

`spoken()` are the texts given to the translation functions in `core/ui`, `pages` and `app.py`. `said()` are the sentences
below: whatever literal of `core` reads like one and is neither documentation nor addressed to a programmer.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
TRANSLATORS = {"t", "translate"}
REFUSALS = {"InvalidInput", "NotFound", "Conflict", "NotPermitted", "ForbliError", "ImportRefused"}
FINDINGS = {"BookFinding": 2, "Finding": 3, "RowFinding": 1, "MappingError": 0}  # which argument is the sentence
FOR_PROGRAMMERS = {
    "RuntimeError",
    "ValueError",
    "TypeError",
    "AssertionError",
    "SystemExit",
    "print",
    "text",
    "compile",
}
SAYING = ("core/domain", "core/calc", "core/store", "core/exchange", "core/actions", "core/reports", "core/__main__.py")
ELEMENT_TEXTS = ("label", "help", "placeholder", "text", "title", "caption", "alt", "body", "delta")
NEVER_SHOWN = {"Refusal", "Review", "Account"}  # enumerations that are codes: their sentences are looked up
# Literals that read like sentences and are none, or stay as they are: data, a part of a driver's message.
EXEMPT = {"From an import", "No space left", "The file has: "}
SENTENCE = re.compile(r"(?:[A-ZÆØÅ“]|\{\w+\}|[0-9])\S*(?: \S+){2,}")
NOT_SENTENCES = re.compile(r"^(SELECT|INSERT|COPY|BEGIN|PRAGMA|CREATE|DROP|VACUUM|UPDATE|DELETE|ALTER|SET) ")


class Place(NamedTuple):
    """Where a text stands."""

    file: str
    line: int


def sources(*folders: str) -> list[Path]:
    """The Python files of folders or single files, relative to the repository."""
    found: list[Path] = []
    for folder in folders:
        path = ROOT / folder
        found += [path] if path.is_file() else sorted(path.rglob("*.py")) if path.exists() else []
    return found


@cache
def tree_of(path: Path) -> ast.Module:
    """The file's syntax tree, every node knowing its parent."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for parent in ast.walk(tree):
        for child in ast.iter_child_nodes(parent):
            child.parent = parent  # type: ignore[attr-defined]
    return tree


def called(node: ast.AST) -> str:
    """The name of what a call calls: `st.button(…)` → "button"."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def literals(node: ast.AST | None) -> Iterator[str]:
    """The texts an expression may be: a literal, either side of a choice, a sum."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)


def spoken() -> dict[str, Place]:
    """Every text given to a translation function."""
    found = {}
    for path in sources("core/ui", "core/reports", "core/exchange", "core/documents", "pages", "app.py"):
        for node in ast.walk(tree_of(path)):
            if called(node) in TRANSLATORS and node.args:  # type: ignore[attr-defined]
                for text in literals(node.args[0]):  # type: ignore[attr-defined]
                    found[text] = Place(str(path.relative_to(ROOT)), node.lineno)  # type: ignore[attr-defined]
    return found


def said() -> dict[str, Place]:
    """Every sentence that core says: refusals, hints, findings, tables of sentences."""
    found = {}
    for path in sources(*SAYING):
        if "migrations" in path.parts or path.name == "guards.py":
            continue
        for node in ast.walk(tree_of(path)):
            for text in _sentences(node):
                found[text] = Place(str(path.relative_to(ROOT)), node.lineno)  # type: ignore[attr-defined]
    return found


def _sentences(node: ast.AST) -> Iterator[str]:
    """The sentence that a node is, or that it gives to a refusal or a finding."""
    name = called(node)
    if isinstance(node, ast.Call) and name in REFUSALS | FINDINGS.keys():
        place = FINDINGS.get(name, 0)
        given = node.args[place] if len(node.args) > place else None
        hints = [keyword.value for keyword in node.keywords if keyword.arg in ("hint", "message")]
        for argument in (given, *hints):
            yield from (text for text in literals(argument) if text)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _reads_like_one(node):
        yield node.value
    elif isinstance(node, ast.Assign) and isinstance(node.parent, ast.ClassDef):  # type: ignore[attr-defined]
        yield from (text for text in literals(node.value) if " " in text)


def _reads_like_one(node: ast.Constant) -> bool:
    """A literal of three words or more that is neither documentation, nor SQL, nor for programmers."""
    parent = node.parent  # type: ignore[attr-defined]
    if isinstance(parent, ast.Expr | ast.JoinedStr | ast.Assert) or called(parent) in FOR_PROGRAMMERS:
        return False
    if node.value in EXEMPT or node.value.isupper() or "\n" in node.value or NOT_SENTENCES.match(node.value):
        return False
    return bool(SENTENCE.match(node.value))


def written() -> set[str]:
    """Every text literal of the product."""
    return {
        node.value
        for path in sources("core", "pages", "seed", "app.py")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def bare_texts() -> list[str]:
    """Texts that a page or a helper gives to an element without translating them."""
    found = []
    for path in sources("core/ui", "pages", "app.py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not _is_logging(node.func):
                named = [keyword.value for keyword in node.keywords if keyword.arg in ELEMENT_TEXTS]
                texts = [text for argument in [*node.args[:1], *named] for text in literals(argument)]
                found += [f"{path.name}:{node.lineno} {text}" for text in texts if re.search(r"[^\W\d_]{2,} ", text)]
    return found


def _is_logging(function: ast.Attribute) -> bool:
    return ast.unparse(function).startswith("logging.")


def stored_words() -> dict[str, str]:
    """The words that stand in the database and are shown: the values of the domain's enumerations."""
    found = {}
    for path in sources("core/domain"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef) and node.name not in NEVER_SHOWN and _is_enumeration(node):
                for each in node.body:
                    if isinstance(each, ast.Assign):
                        found.update(dict.fromkeys(literals(each.value), node.name))
    return found


def _is_enumeration(node: ast.ClassDef) -> bool:
    return any(getattr(base, "id", "") == "StrEnum" for base in node.bases)
