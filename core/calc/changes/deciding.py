"""What every decision shares: requests in, facts to append and refused requests out.

Pure and vectorised: a batch of 100,000 and a batch of one go the same way. A decision never edits a fact; two facts of one
day are both kept and the later one holds. Rules: billing.md, Decisions and section 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from core import frames
from core.calc.changes.standing import SUB
from core.domain.plans import PriceStatus
from core.domain.subscriptions import ChangeKind, Refusal

# A fact before it has an id. Facts of one request stand together, the one that was asked for first.
NEW_FACTS: frames.Schema = {"row": pl.Int64, **{k: v for k, v in frames.CHANGES.items() if k != "change_id"}}
Checks = Sequence[tuple[StrEnum, pl.Expr]]


@dataclass(frozen=True)
class Decision:
    """`facts`: NEW_FACTS. `refused`: row, code, and the columns that the sentences of `Refusal` name."""

    facts: pl.DataFrame
    refused: pl.DataFrame


def asked(requests: pl.DataFrame, schema: frames.Schema) -> pl.DataFrame:
    """Requests with exactly the schema's columns and their position as `row`; an unknown column is our own bug."""
    unknown = set(requests.columns) - set(schema)
    assert not unknown, f"requests have no columns {sorted(unknown)}"
    return frames.conform(requests, schema).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))


def sorted_out(rows: pl.DataFrame, checks: Checks) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows that pass every check, and the others with the `code` of the first one that they fail."""
    failed = (pl.when(condition.fill_null(False)).then(pl.lit(code.value)) for code, condition in checks)
    marked = rows.with_columns(code=pl.coalesce(*failed))
    return marked.filter(pl.col("code").is_null()).drop("code"), marked.filter(pl.col("code").is_not_null())


def facts(rows: pl.DataFrame, kind: ChangeKind, *columns: str, **values: pl.Expr | str) -> pl.DataFrame:
    """NEW_FACTS of one kind: the subscription, the named columns as they are, the values as they are computed."""
    made = rows.select("row", SUB, *columns, kind=pl.lit(kind.value), **values)
    whole = frames.conform(made, NEW_FACTS)
    return whole.with_columns(pl.col("credit").fill_null("none"), pl.col("item", "cause", "reason").fill_null(""))


def less(decision: Decision, refused: pl.DataFrame) -> Decision:
    """The decision without some requests, which are refused for a reason that goes before any other: row, code, what it names."""
    if refused.is_empty():
        return decision
    others = ~pl.col("row").is_in(refused["row"].implode())
    return Decision(
        decision.facts.filter(others), pl.concat([decision.refused.filter(others), refused], how="diagonal_relaxed")
    )


def together(*parts: pl.DataFrame) -> pl.DataFrame:
    """Facts of several kinds, those of one request side by side in the order given."""
    return pl.concat(parts).sort("row", maintain_order=True)


def usual_checks(day: str = "effective_on", key: Sequence[str] = (SUB,)) -> Checks:
    """What is asked of every change: whose, when, once, within its life, in open books."""
    on = pl.col(day)
    return [
        (Refusal.NOT_FOUND, pl.col("external_id").is_null()),
        (Refusal.NEVER_STARTED, pl.col("started_on").is_null()),
        (Refusal.NO_DAY, on.is_null()),
        (Refusal.TWICE, pl.int_range(pl.len()).over(list(key)) > 0),
        (Refusal.BEFORE_START, on < pl.col("started_on")),
        (Refusal.ENDED, on >= pl.col("ends_on")),
        (Refusal.BOOKS_CLOSED, on <= pl.col("closed_through")),
    ]


def bad_choice(**allowed: type[StrEnum]) -> tuple[pl.Expr, pl.Expr]:
    """Is one of the columns not a value of its list, and which value is it?"""
    wrong = [
        pl.when(~pl.col(name).is_in([value.value for value in values])).then(pl.col(name))
        for name, values in allowed.items()
    ]
    first = pl.coalesce(*wrong)
    return first.is_not_null(), first


def unstorable(*columns: str) -> pl.Expr:
    """Does one of the texts hold a NUL, which no database keeps?"""
    return pl.any_horizontal(pl.col(*columns).str.contains("\0", literal=True).fill_null(False))


def offer_checks(day: str) -> Checks:
    """May these prices be given on the day? Columns new_* of `with_offer`; `owner` is the subscription that asks."""
    on, owner = pl.col(day), pl.col("new_owner_id")
    asking = pl.col(SUB)
    return [
        (Refusal.UNKNOWN_PRICE, pl.col("new_status").is_null()),
        (Refusal.AGREED_WITH_ANOTHER, owner.is_not_null() & owner.ne_missing(asking)),
        (Refusal.NOT_PUBLISHED, pl.col("new_status") == PriceStatus.DRAFT),
        (Refusal.NOT_YET_VALID, on < pl.col("new_valid_from")),
        (Refusal.RETIRED, on >= pl.col("new_retired_on")),
        (Refusal.AGREEMENT_OVER, on >= pl.col("new_expires_on")),
    ]
