"""Who may do what: every action names a permission, each role is allowed or denied as the table says, nobody is refused.

The table is the promise; `GRANTS` is the code. An action that is not in the table fails here until somebody decides.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine

import core.actions
from core.actions.command import COMMANDS
from core.domain.access import GRANTS, Actor, Permission, Role, require
from core.domain.errors import ForbliError, NotPermitted
from core.language import label

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ALLOWED = {
    "subscriptions": "support admin",
    "usage": "support finance admin",
    "touch_points": "support finance admin",
    "invoices": "finance admin",
    "invoices.credit": "finance admin",
    "invoices.reissue": "finance admin",
    "invoices.hold": "support finance admin",
    "payments": "finance admin",
    "prices": "product admin",
    "agreements": "product admin",
    "agreements.propose": "support admin",
    "agreements.withdraw": "support admin",
    "adjustments": "support admin",
    "adjustments.approve": "finance admin",
    "adjustments.decline": "finance admin",
    "notes": "support finance admin",
    "plans": "product admin",
    "coupons": "product admin",
    "imports": "finance admin",
    "customers": "support finance admin",
    "company": "finance admin",
    "people": "admin",
    "figures": "product finance admin",
    "figures.save_view": "viewer product support finance admin",
    "figures.close_month": "finance admin",
    "scenarios": "product admin",
    "scenarios.approve": "product finance admin",
    "scenarios.decline": "product finance admin",
}
WRITES = {"insert_many", "insert", "update", "delete"}


def modules() -> list[ModuleType]:
    """Every module of core/actions, imported."""
    names = [found.name for found in pkgutil.iter_modules(core.actions.__path__)]
    return [importlib.import_module(f"core.actions.{name}") for name in names]


MODULES = modules()
ACTIONS = {
    value.action: value for module in MODULES for value in vars(module).values() if isinstance(getattr(value, "action", None), str)
}  # fmt: skip


def allowed(action: str) -> set[str]:
    """Roles that the table allows."""
    area = action.split(".", maxsplit=1)[0]
    return set(ALLOWED[action if action in ALLOWED else area].split())


@pytest.mark.parametrize("language", ["en", "nb"])
def test_every_action_has_words_of_its_own_for_the_audit_trail(language: str) -> None:
    words = [label(action, language) for action in ACTIONS]
    assert [word for word in words if "." in word] == []
    assert len(set(words)) == len(words)


def test_every_command_is_an_action_with_a_permission_that_somebody_has() -> None:
    assert set(ACTIONS) == {name for name in COMMANDS if not name.startswith("test.")}
    granted = set().union(*GRANTS.values())
    assert {permission for name, permission in COMMANDS.items() if name in ACTIONS} <= granted


def test_no_permission_is_unused_by_the_roles() -> None:
    assert set(Permission) == GRANTS[Role.ADMIN]
    assert GRANTS[Role.VIEWER] == {Permission.SAVE_VIEWS}


@pytest.mark.parametrize("action", sorted(ACTIONS))
@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_allowed_or_denied_as_the_table_says(action: str, role: Role) -> None:
    assert Actor("Somebody", role).may(COMMANDS[action]) == (role.value in allowed(action))


@pytest.fixture(scope="module")
def nowhere() -> Engine:
    """A database that cannot be reached: whoever gets as far as opening it was not stopped."""
    return create_engine("sqlite:////nowhere/at/all.db")


@pytest.mark.parametrize("action", sorted(ACTIONS))
@pytest.mark.parametrize("actor", [None, *(Actor("Somebody", role) for role in Role)])
def test_whoever_may_not_is_stopped_before_the_database(nowhere: Engine, action: str, actor: Actor | None) -> None:
    run: Any = ACTIONS[action]
    may = actor is not None and actor.role.value in allowed(action)
    with pytest.raises(Exception) as stopped:
        run(nowhere, actor, "id", NOW)
    assert isinstance(stopped.value, NotPermitted) != may


def test_an_unknown_actor_is_asked_who_it_is() -> None:
    with pytest.raises(ForbliError, match="Say who you are first"):
        require(None, Permission.EDIT_SETTINGS)


def public_functions() -> list[tuple[str, ast.FunctionDef]]:
    """Public functions of core/actions with their module."""
    found = []
    for module in MODULES:
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        found += [(module.__name__, node) for node in tree.body if isinstance(node, ast.FunctionDef)]
    return found


def takes_an_engine(node: ast.FunctionDef) -> bool:
    return any(argument.arg == "engine" for argument in [*node.args.posonlyargs, *node.args.args])


def is_command(node: ast.FunctionDef) -> bool:
    return any(isinstance(call, ast.Call) and getattr(call.func, "id", "") == "command" for call in node.decorator_list)


def calls(node: ast.AST) -> set[str]:
    """Names of functions that are called somewhere inside."""
    return {
        getattr(call.func, "id", getattr(call.func, "attr", "")) for call in ast.walk(node) if isinstance(call, ast.Call)
    }  # fmt: skip


def test_whatever_opens_a_transaction_to_write_is_a_command() -> None:
    opening = {
        name for module, node in public_functions() if "writing" in calls(node) for name in [f"{module}.{node.name}"]
    }
    assert opening == {"core.actions.command.command"}


def test_whatever_is_called_with_an_engine_and_is_no_command_only_reads_or_asks_for_its_permission() -> None:
    loose = [node for _, node in public_functions() if takes_an_engine(node) and not is_command(node)]
    for node in loose:
        if not node.name.startswith("_"):
            assert calls(node) & {"require", "reading"}, node.name


def test_writing_helpers_need_the_session_or_work_of_a_command() -> None:
    for module, node in public_functions():
        if calls(node) & WRITES and not is_command(node) and not module.endswith("command"):
            first = node.args.args[0].arg if node.args.args else ""
            assert first in {"work", "session"}, f"{module}.{node.name} writes without a command"
