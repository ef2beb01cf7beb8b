"""What the database itself forbids, beyond SQLModel's words: checks, one partial index and triggers, per dialect.

The rules (house.md sections 4 and 6, trust.md section B):
- facts and issued rows are append-only; what a customer version says about a person may be emptied, nothing else;
- a price version and its charges and tiers are frozen once it is not a draft;
- nothing joins a document that is in the ledger, nothing joins a sealed entry, a seal needs a balanced entry;
- a service day of a subscription's charge is billed once: unique lines, and originals that do not overlap;
- a document's buyer may be purged when the law allows, never edited.

Importing this module adds the checks and the index to the tables' metadata; `statements(dialect)` are the triggers. The
migrations hold the resulting DDL (`python -m core.store.migrations.generate`). On PostgreSQL the rules that look at other
rows run once a statement over its new rows, on SQLite once a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import sqlalchemy
from sqlalchemy import CheckConstraint, Index, text
from sqlmodel.sql.sqltypes import UTCDateTime

from core.domain.access import Role
from core.domain.company import Reopening
from core.domain.periods import Alignment, Timing, Unit
from core.domain.plans import ChargeKind, ChargeModel, PriceStatus
from core.domain.subscriptions import AdjustmentDecision, AdjustmentKind, ChangeKind
from core.store.tables import METADATA

APPEND_ONLY = (
    "adjustment", "adjustment_decision", "audit_entry", "books_closed", "books_reopening", "budget", "command", "company_profile",
    "currency_rate", "customer_note", "customer_version", "document", "document_line", "document_tax", "ledger_entry",
    "ledger_posting", "ledger_seal", "line_discount", "month_close", "payment", "plan_margin", "saved_view", "scenario",
    "reaction_estimate", "scenario_decision", "scenario_result", "subscription_change", "time_mark", "usage_event", "vat_rule",
)  # fmt: skip
ERASABLE = (
    "name", "contact", "address", "postal_code", "city", "emails", "phone", "organisation_number", "vat_number",
    "reference", "purchase_order", "einvoice_id",
)  # fmt: skip
MAY_CHANGE_AFTER_PUBLISHING = ("status", "retired_at")
# A part of a document, and the document it belongs to, seen from its new row {row}.
DOCUMENT_PARTS = {
    "document_line": "{row}.document_id",
    "document_tax": "{row}.document_id",
    "document_buyer": "{row}.document_id",
    "line_discount": "(SELECT document_id FROM document_line WHERE id = {row}.line_id)",
}

VALUES: dict[str, type[StrEnum] | tuple[str, ...]] = {
    "person.role": Role,
    "price_version.status": PriceStatus,
    "price_version.interval_unit": Unit,
    "price_version.alignment": Alignment,
    "charge.kind": ChargeKind,
    "charge.model": ChargeModel,
    "charge.timing": Timing,
    "subscription_change.kind": ChangeKind,
    "document.kind": ("invoice", "credit_note"),
    "books_reopening.step": Reopening,
    "adjustment.kind": AdjustmentKind,
    "adjustment_decision.decision": AdjustmentDecision,
}
RULES = {
    "adjustment": {"amount_above_0": "amount_minor > 0"},
    "document": {"total": "total_minor = net_minor + tax_minor", "sequence_from_1": "sequence >= 1"},
    "document_line": {
        "service": "service_end >= service_start",
        "period": "period_end >= period_start",
        "revision_from_0": "revision >= 0",
    },
    "payment": {"some_amount": "amount_minor <> 0", "three_letters": "length(currency) = 3"},
    "number_series": {"last_from_0": "last >= 0"},
    "price_version": {"interval_from_1": "interval_count >= 1", "three_letters": "length(currency) = 3"},
    "subscription": {"three_letters": "length(currency) = 3"},
    "subscription_change": {
        "limited": "(earlier_version_id IS NULL) = (cap_ppm IS NULL AND floor_ppm IS NULL)",
    },
    "ledger_posting": {"three_letters": "length(currency) = 3"},
}


# --- checks and the index ------------------------------------------------------------------------------------------


def attach() -> None:
    """Add the checks and the partial index to the metadata, once."""
    for table in METADATA.tables.values():
        for name, rule in RULES.get(table.name, {}).items():
            _add_check(table, name, rule)
        for column in table.c:
            _attach_column(table, column)
    _attach_line_index(METADATA.tables["document_line"])


def _attach_column(table: sqlalchemy.Table, column: sqlalchemy.Column[object]) -> None:
    """The allowed values of a column, and on SQLite its type: there a column takes anything otherwise."""
    allowed = VALUES.get(f"{table.name}.{column.name}")
    if allowed is not None:
        listed = ", ".join(f"'{value}'" for value in allowed)
        _add_check(table, f"{column.name}_value", f"{column.name} IN ({listed})")
    rule = _type_rule(column)
    if rule and column is not table.autoincrement_column:
        _add_check(table, column.name, rule, dialect="sqlite")


def _type_rule(column: sqlalchemy.Column[object]) -> str:
    """The check that makes SQLite hold what PostgreSQL would: whole numbers, text without NUL, real dates."""
    name, kind = f'"{column.name}"', column.type
    if isinstance(kind, sqlalchemy.Boolean):
        return f"{name} IN (0, 1)"
    if isinstance(kind, sqlalchemy.Integer):
        rule = f"typeof({name}) = 'integer'"
    elif isinstance(kind, sqlalchemy.Date):
        return f"{name} IS date({name}, '+0 days')"  # the modifier makes it turn 30 February into March
    elif isinstance(kind, UTCDateTime):
        rule = f"length({name}) = 26 AND datetime({name}) IS NOT NULL"
    else:
        rule = f"typeof({name}) = 'text' AND instr({name}, char(0)) = 0"
    return f"{name} IS NULL OR ({rule})" if column.nullable else rule


def _add_check(table: sqlalchemy.Table, name: str, rule: str, dialect: str | None = None) -> None:
    full_name = f"ck_{table.name}_{name}"
    if any(str(constraint.name) == full_name for constraint in table.constraints):
        return
    check = CheckConstraint(text(rule), name=name)
    table.append_constraint(check if dialect is None else check.ddl_if(dialect=dialect))


def _attach_line_index(line: sqlalchemy.Table) -> None:
    """A subscription's charge is billed once for the same service days and revision.

    A true-up has no charge, and a limit the charge that it is taxed like: the kind, and when it is billed, tell them apart.
    """
    name = "uq_document_line_billed_once"
    if any(index.name == name for index in line.indexes):
        return
    Index(
        name,
        line.c.subscription_id,
        text("coalesce(charge_id, 0)"),
        line.c.service_start,
        line.c.service_end,
        line.c.revision,
        line.c.kind,
        line.c.timing,
        unique=True,
        sqlite_where=text("counts_as_billed = 1"),
        postgresql_where=text("counts_as_billed"),
        _table=line,
    )


attach()


# --- triggers ------------------------------------------------------------------------------------------------------


def statements(dialect: str) -> list[str]:
    """The triggers of a dialect ("sqlite" or "postgresql"), in an order that can be executed."""
    return list(_sqlite() if dialect == "sqlite" else _postgresql())


def _columns_but(table: str, left_out: Iterable[str]) -> list[str]:
    return [column.name for column in METADATA.tables[table].c if column.name not in set(left_out)]


def _changed(table: str, left_out: Iterable[str], differs: str) -> str:
    """Is any column other than these changed? `differs` compares so that null equals null."""
    return " OR ".join(f"NEW.{name} {differs} OLD.{name}" for name in _columns_but(table, left_out))


def _not_merely_erased(differs: str) -> str:
    """Does the update of a customer version do anything but empty personal texts?"""
    filled = " OR ".join(f"(NEW.{name} {differs} OLD.{name} AND NEW.{name} <> '')" for name in ERASABLE)
    return f"{_changed('customer_version', ERASABLE, differs)} OR {filled}"


def _not_a_lawful_price_change(differs: str) -> str:
    """Draft may become published, published retired; only `MAY_CHANGE_AFTER_PUBLISHING` moves after the draft."""
    frozen = _changed("price_version", MAY_CHANGE_AFTER_PUBLISHING, differs)
    moves = "OLD.status || '>' || NEW.status NOT IN"
    return (
        f"(OLD.status = 'draft' AND {moves} ('draft>draft', 'draft>published'))"
        f" OR (OLD.status <> 'draft' AND ({frozen} OR {moves}"
        " ('published>published', 'published>retired', 'retired>retired')))"
    )


APPENDED = "{table} is append-only: its rows are never changed or deleted"
ERASED = "customer_version is append-only: what it says about a person may only be emptied"
PRICED = "a price version is frozen once it is published; it may only be retired"
PRICED_PARTS = "the charges and tiers of a price version are frozen once it is not a draft"
BOUGHT = "what a document says about its buyer cannot be changed, and not be deleted before purge_after"
ISSUED = "the document is in the ledger: nothing can be added to it"
SEALED = "the ledger entry is sealed: nothing can be posted to it"
UNBALANCED = "a ledger entry needs two postings or more that sum to zero in each currency"
OVERLAPPING = "two lines bill the same days of a subscription and charge"


# --- SQLite --------------------------------------------------------------------------------------------------------


def _sqlite() -> Iterable[str]:
    for table in APPEND_ONLY:
        if table != "customer_version":
            yield _refuse_on_sqlite(table, "UPDATE", APPENDED.format(table=table))
        yield _refuse_on_sqlite(table, "DELETE", APPENDED.format(table=table))
    yield _refuse_on_sqlite("customer_version", "UPDATE", ERASED, _not_merely_erased("IS NOT"))
    yield _refuse_on_sqlite("price_version", "UPDATE", PRICED, _not_a_lawful_price_change("IS NOT"))
    yield _refuse_on_sqlite("price_version", "DELETE", PRICED, "OLD.status <> 'draft'")
    yield from _price_parts_on_sqlite()
    yield _refuse_on_sqlite("document_buyer", "UPDATE", BOUGHT)
    yield _refuse_on_sqlite("document_buyer", "DELETE", BOUGHT, "OLD.purge_after > date('now')")
    for table, document in DOCUMENT_PARTS.items():
        in_ledger = f"EXISTS (SELECT 1 FROM ledger_entry WHERE document_id = {document.format(row='NEW')})"
        yield _refuse_on_sqlite(table, "INSERT", ISSUED, in_ledger)
    sealed = "EXISTS (SELECT 1 FROM ledger_seal WHERE entry_id = NEW.entry_id)"
    yield _refuse_on_sqlite("ledger_posting", "INSERT", SEALED, sealed)
    yield _refuse_on_sqlite("ledger_seal", "INSERT", UNBALANCED, _unbalanced("NEW"))
    yield _refuse_on_sqlite("document_line", "INSERT", OVERLAPPING, _overlaps_on_sqlite(), name="overlap")


def _refuse_on_sqlite(table: str, event: str, message: str, when: str = "", name: str = "") -> str:
    condition = f"\nWHEN {when}" if when else ""
    return (
        f"CREATE TRIGGER {table}_refuse_{name or event.lower()} BEFORE {event} ON {table}{condition}\n"
        f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )


def _price_parts_on_sqlite() -> Iterable[str]:
    """A charge looks at its price version, a tier at its charge's; an update at both the old and the new one."""
    frozen = {
        "charge": "(SELECT status FROM price_version WHERE id = {row}.price_version_id) <> 'draft'",
        "tier": "(SELECT status FROM price_version JOIN charge ON charge.price_version_id = price_version.id"
        " WHERE charge.id = {row}.charge_id) <> 'draft'",
    }
    for table, condition in frozen.items():
        old, new = condition.format(row="OLD"), condition.format(row="NEW")
        yield _refuse_on_sqlite(table, "INSERT", PRICED_PARTS, new)
        yield _refuse_on_sqlite(table, "UPDATE", PRICED_PARTS, f"{old} OR {new}")
        yield _refuse_on_sqlite(table, "DELETE", PRICED_PARTS, old)


def _unbalanced(row: str) -> str:
    return (
        f"(SELECT count(*) FROM ledger_posting WHERE entry_id = {row}.entry_id) < 2 OR EXISTS (SELECT 1"
        f" FROM ledger_posting WHERE entry_id = {row}.entry_id GROUP BY currency HAVING sum(amount_minor) <> 0)"
    )


def _latest_original_before_end(row: str, true: str) -> str:
    """The end of the original line that starts last before this one's end; a limit is for what falls due on a day, whatever its days.

    Originals do not overlap each other, so this one alone can reach into the new line: one step in the index.
    """
    return (
        "SELECT other.service_end FROM document_line AS other"
        f" WHERE other.subscription_id = {row}.subscription_id"
        f" AND coalesce(other.charge_id, 0) = coalesce({row}.charge_id, 0)"
        f" AND other.service_start < {row}.service_end AND other.revision = 0"
        f" AND other.counts_as_billed{true} AND other.kind NOT IN ('one_off', 'limit')"
    )


def _overlaps_on_sqlite() -> str:
    latest = _latest_original_before_end("NEW", " = 1")
    return (
        "NEW.revision = 0 AND NEW.counts_as_billed = 1 AND NEW.kind NOT IN ('one_off', 'limit') AND NEW.service_start <"
        f" ({latest} ORDER BY other.service_start DESC, other.service_end DESC LIMIT 1)"
    )


# --- PostgreSQL ----------------------------------------------------------------------------------------------------


def _postgresql() -> Iterable[str]:
    for table in APPEND_ONLY:
        events = "DELETE OR TRUNCATE" if table == "customer_version" else "UPDATE OR DELETE OR TRUNCATE"
        yield from _refuse_on_postgresql(table, "change", events, APPENDED.format(table=table))
    for table, message in (("price_version", PRICED), ("document_buyer", BOUGHT)):
        yield from _refuse_on_postgresql(table, "truncate", "TRUNCATE", message)
    yield from _refuse_on_postgresql("document_buyer", "update", "UPDATE", BOUGHT)
    yield from _each_row("customer_version", "UPDATE", _not_merely_erased("IS DISTINCT FROM"), ERASED)
    yield from _each_row("price_version", "UPDATE", _not_a_lawful_price_change("IS DISTINCT FROM"), PRICED)
    yield from _each_row("price_version", "DELETE", "OLD.status <> 'draft'", PRICED)
    yield from _each_row("document_buyer", "DELETE", "OLD.purge_after > CURRENT_DATE", BOUGHT)
    yield from _price_parts_on_postgresql()
    for table, document in DOCUMENT_PARTS.items():
        in_ledger = f"EXISTS (SELECT 1 FROM ledger_entry WHERE document_id = {document.format(row='inserted')})"
        yield from _new_rows(table, "issued", in_ledger, ISSUED)
    sealed = "EXISTS (SELECT 1 FROM ledger_seal WHERE entry_id = inserted.entry_id)"
    yield from _new_rows("ledger_posting", "sealed", sealed, SEALED)
    yield from _new_rows("ledger_seal", "unbalanced", _unbalanced("inserted"), UNBALANCED)
    yield from _new_rows("document_line", "overlap", _overlaps_on_postgresql(), OVERLAPPING, alone=True)


def _function(name: str, body: str) -> str:
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$\n{body}\n$$"


def _raise(message: str) -> str:
    return f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation';"


def _refuse_on_postgresql(table: str, name: str, events: str, message: str) -> Iterable[str]:
    """Refuse the statement as such, whatever rows it would touch."""
    yield _function(f"{table}_refuse_{name}", f"BEGIN {_raise(message)} END")
    yield (
        f"CREATE TRIGGER {table}_refuse_{name} BEFORE {events} ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse_{name}()"
    )


def _each_row(table: str, event: str, when: str, message: str) -> Iterable[str]:
    """Refuse a row; for tables of which few rows change."""
    name = f"{table}_refuse_{event.lower()}"
    row = "OLD" if event == "DELETE" else "NEW"
    yield _function(name, f"BEGIN\nIF {when} THEN {_raise(message)} END IF;\nRETURN {row};\nEND")
    yield f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"


def _new_rows(table: str, name: str, when: str, message: str, *, alone: bool = False) -> Iterable[str]:
    """Refuse a statement if any of its new rows is wrong; `alone` first waits for other writers of the table."""
    lock = f"PERFORM pg_advisory_xact_lock(hashtext('forbli.{table}'));\n" if alone else ""
    name = f"{table}_refuse_{name}"
    yield _function(
        name,
        f"BEGIN\n{lock}IF EXISTS (SELECT 1 FROM inserted WHERE {when})\n"
        f"THEN {_raise(message)} END IF;\nRETURN NULL;\nEND",
    )
    yield (
        f"CREATE TRIGGER {name} AFTER INSERT ON {table} REFERENCING NEW TABLE AS inserted"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )


def _price_parts_on_postgresql() -> Iterable[str]:
    """As on SQLite; the price version is locked against being published meanwhile."""
    versions = {
        "charge": "SELECT status FROM price_version WHERE id = {row}.price_version_id FOR SHARE",
        "tier": "SELECT status FROM price_version WHERE id = (SELECT price_version_id FROM charge"
        " WHERE id = {row}.charge_id) FOR SHARE",
    }
    for table, version in versions.items():
        old, new = (f"({version.format(row=row)}) <> 'draft'" for row in ("OLD", "NEW"))
        yield from _each_row(table, "INSERT", new, PRICED_PARTS)
        yield from _each_row(table, "UPDATE", f"{old} OR {new}", PRICED_PARTS)
        yield from _each_row(table, "DELETE", old, PRICED_PARTS)
        yield from _refuse_on_postgresql(table, "truncate", "TRUNCATE", PRICED_PARTS)


def _overlaps_on_postgresql() -> str:
    latest = _latest_original_before_end("inserted", "")
    return (
        "inserted.revision = 0 AND inserted.counts_as_billed AND inserted.kind NOT IN ('one_off', 'limit')"
        f" AND inserted.service_start < ({latest} AND other.id <> inserted.id"
        " ORDER BY other.service_start DESC, other.service_end DESC LIMIT 1)"
    )
