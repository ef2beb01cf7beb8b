"""What is asked about customers, cleaned and checked; and what an edit makes of what is said already. Frames in and out.

A batch of 100,000 and a batch of one go the same way. An edit holds from its day on, also in what is said already about
later days, where that says the same as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import polars as pl

from core import frames
from core.calc.changes.deciding import Checks, sorted_out
from core.domain.company import COUNTRIES
from core.domain.customers import FIRST_DAY, LANGUAGES, LONGEST, LONGEST_TERMS_DAYS, LONGEST_TEXT, Refusal
from core.domain.subscriptions import Channel, CustomerKind, PaymentOption

# What a version says of a customer, as it may be asked for.
FIELDS: frames.Schema = {
    **dict.fromkeys(
        ["kind", "name", "contact", "address", "postal_code", "city", "country", "emails", "phone", "language",
         "organisation_number", "vat_number", "reference", "purchase_order", "einvoice_id", "payment_option", "channel"],
        pl.String,
    ),
    "bill_to_id": pl.Int64, "terms_days": pl.Int32, "separate_invoices": pl.Boolean,
}  # fmt: skip
TEXTS = [name for name, dtype in FIELDS.items() if dtype == pl.String]
CREATE: frames.Schema = {"external_id": pl.String, "created_on": pl.Date, **FIELDS}
EDIT: frames.Schema = {"customer_id": pl.Int64, "effective_from": pl.Date, **FIELDS}
VERSIONS: frames.Schema = {"version_id": pl.Int64, **EDIT}
DEFAULTS = {"country": "NO", "language": "nb", "payment_option": "invoice", "channel": "email"}

_UNREADABLE = "[\\x00-\\x08\\x0b-\\x1f\\x7f\u2028\u2029]"
_FORMULA = "^[=+\\-@\uff1d]"
_EMAIL = r"^[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]{2,}$"


def asked(requests: pl.DataFrame, schema: frames.Schema) -> pl.DataFrame:
    """Requests with the schema's columns, texts tidied, and their position as `row`; unknown columns are our own bug."""
    unknown = set(requests.columns) - set(schema)
    assert not unknown, f"requests have no columns {sorted(unknown)}"
    rows = frames.conform(requests, schema).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    texts = [name for name in schema if schema[name] == pl.String and name not in ("address", "emails")]
    return rows.with_columns(
        *(pl.col(name).str.replace_all("[ \\t\\n]+", " ").str.strip_chars(" ") for name in texts),
        pl.col("address").str.strip_chars(),
        emails=pl.col("emails").str.to_lowercase().str.replace_all(r"[\s,;]+", ", ").str.strip_chars(", "),
    ).with_columns(pl.col("country").str.to_uppercase())


def with_defaults(rows: pl.DataFrame, created_on: date) -> pl.DataFrame:
    """New customers: what is not said gets what is usual."""
    usual = {name: DEFAULTS.get(name, "") for name in TEXTS}
    return rows.with_columns(
        *(pl.col(name).fill_null(value) for name, value in usual.items()),
        pl.col("created_on").fill_null(created_on),
        pl.col("separate_invoices").fill_null(False),
    )


def decide_create(
    rows: pl.DataFrame, taken: pl.Series, known: pl.Series, today: date
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """New customers that may be stored, and refused ones (row, code and what their sentences name).

    In: `asked` with `with_defaults`, organisation_fault, vat_fault. `taken`: external ids in use; `known`: customer ids.
    """
    own = pl.col("external_id")
    checks: Checks = [
        (Refusal.NO_EXTERNAL_ID, own.fill_null("") == ""),
        *text_checks(["external_id", *TEXTS]),
        (Refusal.EXTERNAL_ID_TWICE, pl.int_range(pl.len()).over("external_id") > 0),
        (Refusal.EXTERNAL_ID_TAKEN, own.is_in(taken.implode())),
        *day_checks("created_on", today),
        *content_checks(known),
    ]
    return sorted_out(with_places(rows, "created_on"), checks)


def decide_edit(
    rows: pl.DataFrame, versions: pl.DataFrame, known: pl.Series, today: date
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """New versions that may be stored (row, EDIT; several for a row whose change is carried on), and refused requests.

    In: `asked`, each customer at most once; VERSIONS of these customers; organisation_fault and vat_fault of `merged`.
    """
    first = versions.group_by("customer_id").agg(known_from=pl.col("effective_from").min())
    placed = with_places(rows, "effective_from").join(first, on="customer_id", how="left", maintain_order="left")
    checks: Checks = [
        (Refusal.NOT_FOUND, pl.col("known_from").is_null()),
        (Refusal.NO_DAY, pl.col("effective_from").is_null()),
        (Refusal.BEFORE_FIRST, pl.col("effective_from") < pl.col("known_from")),
        *text_checks(TEXTS),
        *day_checks("effective_from", today),
        *content_checks(known),
    ]
    return sorted_out(placed, checks)


def merged(rows: pl.DataFrame, versions: pl.DataFrame) -> pl.DataFrame:
    """Each request with what it does not say filled from the version in force on its day; `was:` columns say what that was."""
    base = in_force(rows, versions).rename({name: f"was:{name}" for name in FIELDS})
    both = rows.join(base, on="row", how="left", maintain_order="left")
    own = pl.col("bill_to_id") == pl.col("customer_id")
    return both.with_columns(pl.coalesce(name, f"was:{name}").alias(name) for name in FIELDS).with_columns(
        bill_to_id=pl.when(~own.fill_null(False)).then("bill_to_id")
    )


def in_force(rows: pl.DataFrame, versions: pl.DataFrame) -> pl.DataFrame:
    """row, FIELDS: what holds for each row's customer on the row's day."""
    wanted = rows.select("row", "customer_id", on="effective_from")
    earlier = wanted.join(versions, on="customer_id").filter(pl.col("effective_from") <= pl.col("on"))
    return earlier.sort("effective_from", "version_id").unique("row", keep="last").select("row", *FIELDS)


def carried(rows: pl.DataFrame, versions: pl.DataFrame) -> pl.DataFrame:
    """row, EDIT: versions of later days that take an edit over where they say what held before it."""
    later = versions.join(rows, on="customer_id", suffix="_new").filter(
        pl.col("effective_from") > pl.col("effective_from_new")
    )
    latest = later.sort("version_id").unique(["row", "effective_from"], keep="last")
    changes = {
        name: pl.col(f"{name}_new").ne_missing(pl.col(f"was:{name}")) & pl.col(name).eq_missing(pl.col(f"was:{name}"))
        for name in FIELDS
    }
    touched = latest.filter(pl.any_horizontal(changes.values())).sort("row", "effective_from")
    return touched.select(
        "row", "customer_id", "effective_from",
        *(pl.when(changes[name]).then(f"{name}_new").otherwise(name).alias(name) for name in FIELDS),
    )  # fmt: skip


# --- the checks ----------------------------------------------------------------------------------------------------


def with_places(rows: pl.DataFrame, day: str) -> pl.DataFrame:
    """What the sentences of refusals name, beside the columns themselves."""
    texts = [name for name in ("external_id", *TEXTS) if name in rows.columns]
    too_long = [pl.when(pl.col(name).str.len_chars() > _most(name)) for name in texts]
    addresses = pl.col("emails").str.split(", ")
    wrong = addresses.list.eval(pl.element().filter(~pl.element().str.contains(_EMAIL) & (pl.element() != "")))
    return rows.with_columns(
        long_field=pl.coalesce(each.then(pl.lit(name)) for each, name in zip(too_long, texts, strict=True)),
        characters=pl.coalesce(
            each.then(pl.col(name).str.len_chars()) for each, name in zip(too_long, texts, strict=True)
        ),
        email=wrong.list.first(), text="name", given="postal_code", value="terms_days", day=day,
    )  # fmt: skip


def _most(name: str) -> int:
    return LONGEST.get(name, LONGEST_TEXT)


def text_checks(texts: list[str]) -> Checks:
    """What no database or document can hold."""
    unreadable = pl.any_horizontal(pl.col(name).str.contains(_UNREADABLE).fill_null(False) for name in texts)
    return [(Refusal.UNREADABLE, unreadable), (Refusal.TOO_LONG, pl.col("long_field").is_not_null())]


def day_checks(day: str, today: date) -> Checks:
    """Slips of the keyboard."""
    return [
        (Refusal.TOO_EARLY, pl.col(day) < FIRST_DAY),
        (Refusal.TOO_LATE, pl.col(day) > today + timedelta(days=366)),
    ]


def content_checks(known: pl.Series) -> Checks:
    """What each field may say."""
    choices: Mapping[Refusal, tuple[str, list[str]]] = {
        Refusal.KIND: ("kind", [kind.value for kind in CustomerKind]),
        Refusal.LANGUAGE: ("language", list(LANGUAGES)),
        Refusal.PAYMENT_OPTION: ("payment_option", [option.value for option in PaymentOption]),
        Refusal.CHANNEL: ("channel", [channel.value for channel in Channel]),
        Refusal.COUNTRY: ("country", sorted(COUNTRIES)),
    }
    postal, terms = pl.col("postal_code"), pl.col("terms_days")
    norwegian = pl.col("country") == "NO"
    return [
        (Refusal.NO_NAME, pl.col("name") == ""),
        (Refusal.FORMULA, pl.col("name").str.contains(_FORMULA)),
        (Refusal.MARKUP, pl.col("name").str.contains("[<>]")),
        *((code, ~pl.col(name).is_in(allowed)) for code, (name, allowed) in choices.items()),
        (Refusal.POSTAL_CODE, norwegian & (postal != "") & ~postal.str.contains("^[0-9]{4}$")),
        (Refusal.EMAIL, pl.col("email").is_not_null()),
        (Refusal.ORGANISATION_NUMBER, pl.col("organisation_fault")),
        (Refusal.VAT_NUMBER, pl.col("vat_fault")),
        (Refusal.TERMS, (terms < 0) | (terms > LONGEST_TERMS_DAYS)),
        (Refusal.BILL_TO, pl.col("bill_to_id").is_not_null() & ~pl.col("bill_to_id").is_in(known.implode())),
    ]
