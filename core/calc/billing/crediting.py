"""What takes issued documents back: each line as it stands, less what later documents credited of it.

A line that nothing corrected is turned round whole, so that a full credit is exactly the original. Of the others the rest is
set against nothing expected, which is reconcile's own way to find what is left to credit (billing.md, Decisions: Which
difference becomes what; section 7: credit ≤ line − earlier credits).
"""

from __future__ import annotations

import polars as pl

from core import frames
from core.calc.arithmetic import divide
from core.calc.billing.adjustments import ADJUSTMENT
from core.calc.billing.discounts import SHARES, credited_shares
from core.calc.billing.documents import Draft
from core.calc.billing.expected import ONCE
from core.calc.billing.reconcile import reconcile, with_revisions
from core.calc.billing.tax import net_lines, tax_per_rate
from core.domain.invoices import DocumentKind, Purpose

AMOUNTS = ["period_amount_minor", "period_discount_minor", "amount_minor", "discount_minor"]
_WIDE = pl.Int128()


def taken_back(issued: frames.Issued) -> Draft:
    """Credit notes of what is left of invoices; one that nothing is left of has none.

    Out: a draft whose lines name what they correct and count as billed, so that the next run bills the periods again by what
    holds then; one-off charges and goodwill are billed by nothing again.
    """
    lines = _left(issued)
    heads = issued.documents
    charged = lines.join(heads.select("document_id", "tax_inclusive"), on="document_id", maintain_order="left").with_columns(
        document="document_id", charged_minor=pl.col("amount_minor") - pl.col("discount_minor")
    )  # fmt: skip
    taxes = tax_per_rate(charged)
    netted = charged.with_columns(net_lines(charged, taxes).alias("net_minor"))
    documents = _documents(heads, netted, taxes)
    kept = netted.join(documents.select("document"), on="document", how="semi", maintain_order="left")
    placed = kept.drop("document_id").with_columns(position=pl.int_range(1, pl.len() + 1).over("document"))
    return Draft(
        placed,
        documents,
        taxes.join(documents.select("document"), on="document", how="semi", maintain_order="left"),
        _shares(placed, issued.discounts),
        pl.DataFrame(),
    )


def _left(issued: frames.Issued) -> pl.DataFrame:
    """LINES + line, document_id, counts_as_billed: what is left of each line, turned round, in the order of the originals."""
    corrections = issued.billed.join(issued.lines.select(corrects_id="line_id"), on="corrects_id", how="semi")
    corrected = corrections.select(line_id="corrects_id").unique()
    whole = issued.lines.join(corrected, on="line_id", how="anti", maintain_order="left")
    # What is owed by the day keeps its quantity, as reconcile counts it; a sum is as many fewer.
    counted = pl.col("kind").is_in([*ONCE, ADJUSTMENT])
    turned = whole.with_columns(
        *(-pl.col(name) for name in AMOUNTS),
        quantity_micro=pl.when(counted).then(-pl.col("quantity_micro")).otherwise("quantity_micro"),
        corrects_id="line_id",
    )
    partly = issued.lines.join(corrected, on="line_id", how="semi", maintain_order="left")
    had = pl.concat([frames.conform(partly, frames.LINES), corrections])
    rest = reconcile(frames.empty(frames.LINES), had) if partly.height else frames.empty(frames.LINES)
    origin = issued.lines.select("document_id", corrects_id="line_id", _place="position")
    both = pl.concat([frames.conform(turned, frames.LINES), rest.filter(pl.col("corrects_id").is_not_null())])
    revised = with_revisions(both.with_columns(pl.lit(None, dtype=pl.Int64).alias("adjustment_id")), issued.billed)
    ordered = revised.join(origin, on="corrects_id").sort("document_id", "_place", "service_start").drop("_place")
    return ordered.with_row_index("line").with_columns(
        pl.col("line").cast(pl.Int64), counts_as_billed=pl.col("kind") != ADJUSTMENT
    )


def _shares(lines: pl.DataFrame, discounts: pl.DataFrame) -> pl.DataFrame:
    """What the coupons get back; a credit that is itself taken back gives them less again."""
    back = credited_shares(lines, discounts)
    again = (
        lines.filter(pl.col("discount_minor") > 0)
        .select("line", line_id="corrects_id")
        .join(discounts, on="line_id")
        .with_columns(-pl.col("amount_minor"))
    )
    return pl.concat([back, again.select(pl.col(name).cast(kind) for name, kind in SHARES.items())])


def _documents(heads: pl.DataFrame, lines: pl.DataFrame, taxes: pl.DataFrame) -> pl.DataFrame:
    """One credit note for each invoice of which something is left; amounts negative, as a draft has them."""
    sums = lines.group_by("document").agg(
        pl.col("service_start").min(), pl.col("service_end").max(), subtotal_minor=pl.col("amount_minor").sum(),
        discount_minor=pl.col("discount_minor").sum(), net_minor=pl.col("net_minor").sum(),
    )  # fmt: skip
    vat = taxes.group_by("document").agg(pl.col("tax_minor").sum())
    given = heads.select(
        "customer_id", "bill_to_id", "currency", "tax_inclusive", document="document_id", corrects_id="document_id",
        terms_days=(pl.col("due_date") - pl.col("issue_date")).dt.total_days(),
        had_minor="tax_minor", home_minor="tax_in_company_currency_minor",
        kind=pl.lit(DocumentKind.CREDIT_NOTE.value), purpose=pl.lit(Purpose.CORRECTION.value),
    )  # fmt: skip
    summed = given.join(sums, on="document", maintain_order="left").join(vat, on="document", maintain_order="left")
    share = pl.col("home_minor").cast(_WIDE) * pl.col("tax_minor").cast(_WIDE)
    had = pl.when(pl.col("had_minor") == 0).then(1).otherwise("had_minor").cast(_WIDE)
    return (
        summed.with_columns(
            total_minor=pl.col("net_minor") + pl.col("tax_minor"),
            tax_in_company_currency_minor=divide(share, had).cast(pl.Int64),
        )
        .filter(pl.col("total_minor") < 0)
        .drop("had_minor", "home_minor")
    )
