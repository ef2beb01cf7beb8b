"""The audit chain: each entry's hash covers its content and the hash before it, so that any later touch is found.

A cut-off tail leaves a whole chain; it is found with a head kept elsewhere: each run's report prints `audit_head`, and
`holds_head` says whether that head is still in the chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.store.tables import AuditEntry, core_table

HASHED = ("command_id", "recorded_at", "actor", "action", "subject", "fields", "previous_hash")


class AuditHead(NamedTuple):
    """How many entries the chain has, and the hash of the last one ("" when there is none)."""

    entries: int
    hash: str


def audit_hash(entry: Mapping[str, Any]) -> str:
    """SHA-256 over an entry's content, the instant in UTC, and the hash before it."""
    instant: datetime = entry["recorded_at"]
    content = {name: entry[name] for name in HASHED}
    content["recorded_at"] = instant.astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def audit_head(session: Session) -> AuditHead:
    """The end of the chain as it is stored."""
    entry = core_table(AuditEntry).c
    count: int = session.execute(select(func.count()).select_from(core_table(AuditEntry))).scalar_one()
    last = session.execute(select(entry.hash).order_by(entry.id.desc()).limit(1)).scalar()
    return AuditHead(count, last or "")


def holds_head(session: Session, head: AuditHead) -> bool:
    """Is a head that was noted earlier still in its place? If not, the chain was cut or written anew."""
    entry = core_table(AuditEntry).c
    if head.entries == 0:
        return head.hash == ""
    there = select(entry.hash).order_by(entry.id).offset(head.entries - 1).limit(1)
    return session.execute(there).scalar() == head.hash


def first_broken_audit_entry(session: Session) -> int | None:
    """The id of the first entry that was edited, moved, inserted, or whose predecessor is gone; None if all hold."""
    previous = ""
    table = core_table(AuditEntry)
    rows = session.execute(select(table).order_by(table.c.id).execution_options(yield_per=10_000))
    for row in rows.mappings():
        if row["previous_hash"] != previous or row["hash"] != audit_hash(row):  # type: ignore[arg-type]
            return int(row["id"])
        previous = row["hash"]
    return None
