"""What search looks through: one row a customer with everything it was ever called by, in lower case.

A plain scan of this narrow table takes 2-35 ms at 200,000 customers on both databases, so there is no index to keep up.
Numbers of documents are found by their series and sequence, which are indexed: issuing writes nothing here.
"""

from __future__ import annotations

import polars as pl
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from core.store import load
from core.store.save import insert_many
from core.store.tables import Document, NumberSeries, SearchEntry, Subscription, core_table

ENTRIES = {"id": pl.Int64, "customer_id": pl.Int64, "haystack": pl.String}
LONGEST_QUERY = 200
SHORTEST_INFIX = 3
NUMBER_DIGITS = 6
MOST_NUMBERS = 200
# Letters that a foreign keyboard lacks: what has them is found without them too.
FOLDED = {"æ": "ae", "ø": "o", "å": "a", "ä": "a", "ö": "o", "é": "e", "ü": "u"}
FOUND_BY = ["name", "emails", "external_id", "organisation_number"]


def add(session: Session, customers: pl.DataFrame) -> None:
    """Let new customers be found. In: customer_id, FOUND_BY."""
    haystack = _both_ways(pl.concat_str(FOUND_BY, separator=" ").str.replace_all(" +", " ").str.strip_chars())
    rows = customers.select("customer_id", kind=pl.lit("customer"), label="name", haystack=haystack)
    insert_many(session, SearchEntry, rows)


def also(session: Session, customers: pl.DataFrame) -> None:
    """Let customers be found by what is said about them now too. In: customer_id, name, emails, organisation_number."""
    table = core_table(SearchEntry)
    wanted = load.among(session, table.c.customer_id, customers["customer_id"])
    stored = load.frame(session, select(table.c.id, table.c.customer_id, table.c.haystack).where(wanted), ENTRIES)
    said = _both_ways(pl.concat_str(["name", "emails", "organisation_number"], separator=" "))
    rows = stored.join(customers.with_columns(said=said), on="customer_id").select(
        entry="id", text=pl.concat_str("haystack", "said", separator=" ")
    )
    changed = rows.with_columns(text=pl.col("text").str.split(" ").list.unique(maintain_order=True).list.join(" "))
    for entry, text in changed.iter_rows():
        session.execute(update(table).where(table.c.id == entry).values(haystack=text))


def _both_ways(text: pl.Expr) -> pl.Expr:
    """In lower case, and once more without æ, ø and å where it has any."""
    low = text.str.to_lowercase()
    folded = low.str.replace_many(list(FOLDED), list(FOLDED.values()))
    return pl.when(folded == low).then(low).otherwise(pl.concat_str([low, folded], separator=" "))


def find(session: Session, text: str, limit: int = 1_000_000) -> pl.Series:
    """Ids of customers in whom every word of the text is found, in any order, taken literally; short ones must begin a word.

    Looks through names, e-mail addresses, ids and organisation numbers, and through the numbers of documents.
    """
    wanted = " ".join(text.replace("\0", " ").lower().split())
    if not wanted or len(wanted) > LONGEST_QUERY:
        return pl.Series("customer_id", [], pl.Int64)
    table = core_table(SearchEntry).c
    fits = and_(*(_holds(word) for word in dict.fromkeys(wanted.replace(",", " ").split())))
    found = list(session.execute(select(table.customer_id).where(fits).limit(limit)).scalars())
    return pl.Series("customer_id", [*_by_number(session, wanted), *found], pl.Int64).unique(maintain_order=True)


def _holds(word: str) -> ColumnElement[bool]:
    """Is the word in the haystack? One or two characters must begin a word of it."""
    haystack = core_table(SearchEntry).c.haystack
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    patterns = [f"{escaped}%", f"% {escaped}%"] if len(word) < SHORTEST_INFIX else [f"%{escaped}%"]
    return or_(*(haystack.like(pattern, escape="\\") for pattern in patterns))


def _by_number(session: Session, text: str) -> list[int]:
    """Customers of documents whose number begins with the text, newest first."""
    numbered = _numbered(session, text)
    if numbered is None:
        return []
    document = core_table(Document).c
    newest = select(document.customer_id).where(numbered).order_by(document.id.desc()).limit(MOST_NUMBERS)
    return list(session.execute(newest).scalars())


def _numbered(session: Session, text: str) -> ColumnElement[bool] | None:
    """Documents whose number begins with the text: by series and sequence, which are indexed."""
    series, document = core_table(NumberSeries).c, core_table(Document).c
    rows = session.execute(select(series.id, series.prefix, series.year, series.last)).all()
    ranges = [
        (document.series_id == row.id) & document.sequence.between(first, last)
        for row in rows
        for first, last in sequences(text, row.prefix, row.year, row.last)
    ]
    return or_(*ranges) if ranges else None


def sequences(text: str, prefix: str, year: int, highest: int) -> list[tuple[int, int]]:
    """The sequences of a series, first to last, whose printed number begins with the text; digits alone are one sequence."""
    if text.isdecimal() and text.isascii() and len(text) <= NUMBER_DIGITS + 1:
        return [(int(text), int(text))] if 1 <= int(text) <= highest else []
    start = f"{prefix}{year}-".lower()
    digits = text.removeprefix(start)
    if digits == text or not (digits.isdecimal() and digits.isascii()):
        return []
    found = []
    longest = (
        NUMBER_DIGITS if digits[0] == "0" else max(len(str(highest)), NUMBER_DIGITS)
    )  # only short ones are filled up
    for places in range(max(len(digits), NUMBER_DIGITS), longest + 1):
        size = 10 ** (places - len(digits))
        found.append((int(digits) * size, min(highest, (int(digits) + 1) * size - 1)))
    return found


def subscriptions(session: Session, text: str, limit: int) -> list[tuple[str, int]]:
    """External id and customer of subscriptions whose id begins with the text, as written or in capitals."""
    table = core_table(Subscription).c
    wanted = text.replace("\0", "").strip()
    if len(wanted) < SHORTEST_INFIX or len(wanted) > LONGEST_QUERY:
        return []
    begins = or_(*(table.external_id.between(each, each + "\U0010ffff") for each in {wanted, wanted.upper()}))
    statement = select(table.external_id, table.customer_id).where(begins).order_by(table.external_id).limit(limit)
    return [(row.external_id, row.customer_id) for row in session.execute(statement)]


def documents(session: Session, text: str, limit: int) -> list[str]:
    """Numbers of the newest documents that begin with the text."""
    numbered = _numbered(session, " ".join(text.replace("\0", " ").lower().split()))
    if numbered is None:
        return []
    document = core_table(Document).c
    return list(
        session.execute(select(document.number).where(numbered).order_by(document.id.desc()).limit(limit)).scalars()
    )
