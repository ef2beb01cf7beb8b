"""How every write happens: permit, claim the command id, do, audit, raise the data revision - in one transaction.

    @command("plans.publish", Permission.PUBLISH_PRICES)
    def publish(work: Work, *, price_version_id: int) -> dict[str, Any]: ...

    publish(engine, actor, command_id="…", now=now, price_version_id=7)

The same command id with the same content answers what it answered the first time and does nothing; with other content it
is a `Conflict`. The result must be JSON (it is what a repetition returns). `COMMANDS` lists every action with its
permission; a test enumerates it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol

import polars as pl
from sqlalchemy import Engine, insert, select, text, update
from sqlalchemy.orm import Session

from core.calc.threads import inline
from core.domain.access import Actor, Permission, require
from core.domain.errors import Conflict
from core.store.audit import audit_hash
from core.store.engine import lock, writing
from core.store.save import insert_many, reserve_ids
from core.store.tables import AuditEntry, Command, Revision, Table, core_table

Answer = dict[str, Any]
P = ParamSpec("P")

COMMANDS: dict[str, Permission] = {}


@dataclass
class Work:
    """What an action works with: its session, who acts, when, and the audit lines it leaves."""

    session: Session
    actor: Actor
    now: datetime
    command_id: str
    _audits: list[tuple[str, str]] = field(default_factory=list)

    @property
    def author(self) -> str:
        """The name that facts are recorded under."""
        return self.actor.name

    @property
    def stamp(self) -> dict[str, Any]:
        """`recorded_at` and `author` of a new fact."""
        return {"recorded_at": self.now, "author": self.actor.name}

    def audit(self, subject: str, *fields: str) -> None:
        """Note what is touched ("subscription:42") and which fields: ids and field names only, never values."""
        self._audits.append((subject, ",".join(fields)))


def add_row(work: Work, model: type[Table], row: Mapping[str, Any], subject: str = "") -> int:
    """One stamped row; audited under its table's name or the subject; answers its id."""
    key = reserve_ids(work.session, model, 1)
    insert_many(work.session, model, [{"id": key, **row, **work.stamp}])
    work.audit(f"{subject or model.__tablename__}:{key}", *sorted(row))
    return key


class Run(Protocol[P]):
    """An action as callers see it."""

    action: str

    def __call__(
        self, engine: Engine, actor: Actor | None, /, command_id: str, now: datetime, *args: P.args, **kwargs: P.kwargs
    ) -> Answer:
        """Run the action in one transaction."""


def command(
    name: str, permission: Permission
) -> Callable[[Callable[Concatenate[Work, P], Answer]], Callable[..., Answer]]:
    """Turn a function of `Work` into an action that permits, runs once, audits and commits."""
    assert name not in COMMANDS, f"two actions are called {name}"
    COMMANDS[name] = permission

    def decorate(function: Callable[Concatenate[Work, P], Answer]) -> Callable[..., Answer]:
        @wraps(function)
        def run(
            engine: Engine, actor: Actor | None, /, command_id: str, now: datetime, *args: P.args, **kwargs: P.kwargs
        ) -> Answer:
            known = require(actor, permission)
            assert now.tzinfo is not None, "instants are aware"
            content_hash = _hash({"action": name, "arguments": [args, kwargs]})
            with writing(engine) as session:
                earlier = claim(session, command_id, content_hash)
                if earlier is not None:
                    return earlier
                work = Work(session, known, now, command_id)
                answer = inline(lambda: function(work, *args, **kwargs), rows=_rows(kwargs))
                _record(work, name, content_hash, answer)
                return answer

        run.action = name  # type: ignore[attr-defined]
        return run

    return decorate


def _rows(content: Mapping[str, Any]) -> int:
    """How many things a command is about; a file's bytes stand for as many rows."""
    return max((len(each) for each in content.values() if isinstance(each, pl.DataFrame | list | bytes)), default=1)


def claim(session: Session, command_id: str, content_hash: str) -> Answer | None:
    """The earlier answer of this command, None if it is new; serialises commands so that the audit chain stays one."""
    assert command_id, "a command needs an id"
    lock(session, "forbli.command")
    commands = core_table(Command).c
    earlier = session.execute(
        select(commands.content_hash, commands.result_json).where(commands.id == command_id)
    ).first()
    if earlier is None:
        return None
    if earlier.content_hash != content_hash:
        raise Conflict("This form was already sent with other content; open it again", code="command_reused")
    answer: Answer = json.loads(earlier.result_json)
    return answer


def _record(work: Work, name: str, content_hash: str, answer: Answer) -> None:
    """Store the command, its audit lines and the raised revision."""
    work.session.execute(
        insert(core_table(Command)).values(
            id=work.command_id, action=name, content_hash=content_hash, result_json=_json(answer),
            actor=work.actor.name, recorded_at=work.now,
        )
    )  # fmt: skip
    entries = core_table(AuditEntry).c
    previous = work.session.execute(select(entries.hash).order_by(entries.id.desc()).limit(1)).scalar() or ""
    rows = []
    for subject, fields in work._audits or [("", "")]:
        entry = {
            "command_id": work.command_id, "recorded_at": work.now, "actor": work.actor.name, "action": name,
            "subject": subject, "fields": fields, "previous_hash": previous,
        }  # fmt: skip
        previous = audit_hash(entry)
        rows.append({**entry, "hash": previous})
    work.session.execute(insert(core_table(AuditEntry)), rows)
    raised = work.session.execute(update(core_table(Revision)).where(text("id = 1")).values(value=text("value + 1")))
    if raised.rowcount == 0:  # type: ignore[attr-defined]
        work.session.execute(insert(core_table(Revision)).values(id=1, value=1, demo_state=""))


def _hash(content: object) -> str:
    return hashlib.sha256(_json(content).encode()).hexdigest()


def _json(content: object) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    """JSON of the values that commands carry."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):  # a file counts by its content's hash
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, pl.DataFrame):  # so does a batch of requests: its columns and its rows
        content = repr(list(value.schema.items())) + value.write_csv(quote_style="non_numeric")
        return hashlib.sha256(content.encode()).hexdigest()
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    raise TypeError(f"a command cannot carry {type(value).__name__}")
