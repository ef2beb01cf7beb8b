"""One pass from facts to draft documents: expected → reconcile → tax → discounts → totals.

The invoice run, every preview and the simulation call `draft`; previewing one subscription is a batch of one. Rules:
billing.md, Decisions (Documents and money).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from core import frames
from core.calc.arithmetic import divide
from core.calc.billing import discounts
from core.calc.billing.adjustments import ADJUSTMENT, adjustment_lines
from core.calc.billing.expected import ONCE, expected_lines
from core.calc.billing.price_limits import LIMIT
from core.calc.billing.reconcile import reconcile
from core.calc.billing.tax import net_lines, tax_per_rate, with_tax
from core.calc.calendar import OPEN
from core.calc.threads import inline
from core.calc.timeline import Timeline, live_changes, timeline
from core.domain.money import exponent_of
from core.domain.subscriptions import ChangeKind, CustomerKind
from core.frames import CURRENCY_RATE_SCALE, BillingInputs, Facts

_GROUP = ["customer_id", "bill_to_id", "currency", "terms_days", "tax_inclusive", "own_invoice"]
_CHANGING = [ChangeKind.PRICE, ChangeKind.QUANTITY, ChangeKind.ADDON, ChangeKind.RESUME]


@dataclass(frozen=True)
class Draft:
    """Documents that would be issued. Key of `documents`: document; of `lines`: line; of `taxes`: document, treatment, rate.

    `lines`: LINES + line, document, position, net_minor. `shares`: which coupon grant gave how much of a line's discount.
    `review`: customer_id, code - customers that cannot be billed before somebody decides.
    """

    lines: pl.DataFrame
    documents: pl.DataFrame
    taxes: pl.DataFrame
    shares: pl.DataFrame
    review: pl.DataFrame

    def without(self, customer_ids: pl.Series) -> Draft:
        """The draft without some customers."""
        if customer_ids.is_empty():
            return self
        documents = self.documents.filter(~pl.col("customer_id").is_in(customer_ids.implode()))
        lines = self.lines.join(documents.select("document"), on="document", how="semi", maintain_order="left")
        taxes = self.taxes.join(documents.select("document"), on="document", how="semi", maintain_order="left")
        shares = self.shares.join(lines.select("line"), on="line", how="semi", maintain_order="left")
        return Draft(lines, documents, taxes, shares, self.review)


def draft(inputs: BillingInputs, through: date) -> Draft:
    """What would be billed through a day, issued today."""
    return inline(lambda: _drafted(inputs, through), rows=inputs.scope.height + inputs.facts.usage.height)


def _drafted(inputs: BillingInputs, through: date) -> Draft:
    facts = inputs.facts
    track = timeline(facts.changes, facts.versions)
    expected = expected_lines(facts, inputs.scope, through, track=track)
    billed = pl.concat([inputs.billed, opening_lines(facts, inputs.scope)])
    live = live_changes(facts.changes)
    planned = planned_ahead(live, track, through)
    if not track.limits.is_empty():
        expected = _limits_as_billed(expected, billed, planned, inputs, through)
    to_bill = differences(expected, billed, inputs.scope, planned)
    to_bill = pl.concat([to_bill, adjustment_lines(inputs.adjustments, through)])
    described = _described(to_bill, inputs)
    taxed = with_tax(described, inputs.vat_rules)
    taxed, review = _reviewed(taxed, inputs)
    taxed = taxed.drop("line").with_row_index("line").with_columns(pl.col("line").cast(pl.Int64))
    grants = discounts.grants(live, inputs.coupons, track)
    discounted, given = discounts.discount(taxed, grants, inputs.used.drop("line_id"))
    back = discounts.credited_shares(discounted.filter(pl.col("corrects_id").is_not_null()), inputs.used)
    return _documents(discounted, pl.concat([given, back]), review, inputs)


def opening_lines(facts: Facts, scope: pl.DataFrame) -> pl.DataFrame:
    """What another system had billed when touched subscriptions were taken over: expected by the facts of that day."""
    taken = scope.filter(pl.col("touched") & pl.col("opening").is_not_null())
    if taken.is_empty():
        return frames.empty(frames.LINES)
    limits = taken.select("subscription_id", "opening_change_id")
    known = facts.changes.join(limits, on="subscription_id").filter(pl.col("change_id") <= pl.col("opening_change_id"))
    then = replace(facts, changes=known.drop("opening_change_id"))
    latest = taken["opening"].max()
    assert isinstance(latest, date), "a subscription that was taken over has its day"
    lines = expected_lines(then, taken, latest).join(taken.select("subscription_id", "opening"), on="subscription_id")
    return frames.conform(lines.filter(pl.col("due_on") <= pl.col("opening")), frames.LINES)


def planned_ahead(live: pl.DataFrame, track: Timeline, through: date) -> pl.DataFrame:
    """subscription_id, planned_on: the first day after `through` on which service goes on under other terms.

    What ends service is not waited for: its credit belongs on the next invoice.
    """
    changing = live.filter(pl.col("kind").is_in(_CHANGING)).select("subscription_id", planned_on="effective_on")
    resuming = live.filter(pl.col("kind") == ChangeKind.PAUSE).select("subscription_id", planned_on="until_on")
    ahead = pl.concat([changing, resuming]).filter(pl.col("planned_on") > through)
    if ahead.is_empty():
        return ahead
    served = ahead.join(track.windows, on="subscription_id").filter(
        (pl.col("start") <= pl.col("planned_on")) & (pl.col("planned_on") < pl.col("end"))
    )
    return served.group_by("subscription_id").agg(pl.col("planned_on").min())


def _limits_as_billed(
    expected: pl.DataFrame, billed: pl.DataFrame, planned: pl.DataFrame, inputs: BillingInputs, through: date
) -> pl.DataFrame:
    """Limits of periods that are billed beyond a planned change wait for its day, as what they limit does (reconcile.py)."""
    until = billed.group_by("subscription_id").agg(until=pl.col("service_end").max())
    waiting = planned.join(until, on="subscription_id").filter(pl.col("planned_on") < pl.col("until"))
    scope = inputs.scope.filter("touched").join(waiting, on="subscription_id", how="semi")
    if scope.is_empty():
        return expected
    on = pl.col("planned_on").fill_null(OPEN)
    known = inputs.facts.changes.join(waiting, on="subscription_id", how="left", maintain_order="left").filter(
        pl.col("effective_on") < on
    ).with_columns(until_on=pl.when(pl.col("until_on") < on).then("until_on"))  # fmt: skip
    then = replace(inputs.facts, changes=frames.conform(known, frames.CHANGES))
    own = (pl.col("kind") == LIMIT) & pl.col("subscription_id").is_in(scope["subscription_id"].implode())
    return pl.concat([expected.filter(~own), expected_lines(then, scope, through).filter(pl.col("kind") == LIMIT)])


def differences(
    expected: pl.DataFrame, billed: pl.DataFrame, scope: pl.DataFrame, planned: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Lines to bill: what newly fell due, and for touched subscriptions the difference to what was billed."""
    marked = expected.join(scope.drop("after"), on="subscription_id", how="left", maintain_order="left")
    fresh = marked.filter(~pl.col("touched") & (pl.col("due_on") > pl.col("billed_through")))
    touched = scope.filter(pl.col("touched")).select("subscription_id", "after")
    had = billed.join(touched, on="subscription_id").filter(pl.col("period_end") > pl.col("after"))
    changed = reconcile(marked.filter(pl.col("touched")), had, planned)
    return pl.concat([frames.conform(fresh, frames.LINES), frames.conform(changed, frames.LINES)])


def _described(lines: pl.DataFrame, inputs: BillingInputs) -> pl.DataFrame:
    """Lines with what decides on their tax, coupons and document: the charge, the subscription and the buyer."""
    charges = inputs.facts.charges.select("charge_id", "position", charge_code="code", category="vat_category")
    versions = inputs.facts.versions.select("price_version_id", "plan_id", "tax_inclusive")
    owners = inputs.subscriptions.select("subscription_id", "customer_id", "currency", own_terms="terms_days")
    buyers = inputs.customers.select(
        "customer_id", "country", pl.col("kind").alias("customer_kind"), "separate_invoices",
        bill_to_id=pl.coalesce("bill_to_id", "customer_id"), customer_terms="terms_days",
        has_vat_number=(pl.col("vat_number") != "") | (pl.col("organisation_number") != ""),
    )  # fmt: skip
    joined = (
        lines.join(owners, on="subscription_id", how="left")
        .join(buyers, on="customer_id", how="left")
        .join(versions, on="price_version_id", how="left")
        .join(charges, on="charge_id", how="left")
        .join(inputs.adjustments.select("adjustment_id", own_category="vat_category"), on="adjustment_id", how="left")
    )
    return joined.with_columns(
        category=pl.coalesce("category", "own_category", pl.lit("standard")),
        position=pl.when(pl.col("kind") == LIMIT).then(10_001).otherwise(pl.col("position").fill_null(10_000)),
        country=pl.col("country").fill_null(""),
        customer_kind=pl.col("customer_kind").fill_null(CustomerKind.CONSUMER),
        has_vat_number=pl.col("has_vat_number").fill_null(False),
        by_day=~pl.col("kind").is_in([*ONCE, ADJUSTMENT]),
        terms_days=pl.coalesce("own_terms", "customer_terms", pl.lit(inputs.seller.terms_days)),
        own_invoice=pl.when("separate_invoices").then("subscription_id").otherwise(0),
        discount_minor=pl.col("discount_minor").fill_null(0),
    ).sort("customer_id", "subscription_id", "position", "service_start", "amount_minor").with_row_index("line")  # fmt: skip


def _reviewed(lines: pl.DataFrame, inputs: BillingInputs) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Without the customers that need a decision first, and the reasons."""
    known = [inputs.seller.currency, *inputs.currency_rates]
    code = (
        pl.when(pl.col("bill_to_id").is_null()).then(pl.lit("no_customer_data"))
        .when(pl.col("tax_treatment").is_null()).then(pl.lit("unknown_vat_treatment"))
        .when(~pl.col("currency").is_in(known) & (pl.col("tax_rate_ppm") > 0)).then(pl.lit("no_currency_rate"))
    )  # fmt: skip
    reasons = (
        lines.select("customer_id", code=code).filter(pl.col("code").is_not_null()).unique().sort("customer_id", "code")
    )
    return lines.join(reasons, on="customer_id", how="anti", maintain_order="left"), reasons


def _documents(lines: pl.DataFrame, shares: pl.DataFrame, review: pl.DataFrame, inputs: BillingInputs) -> Draft:
    """Lines grouped to documents, with VAT per rate and totals; documents of nothing but zeros are left out."""
    charged = lines.with_columns(charged_minor=pl.col("amount_minor") - pl.col("discount_minor"))
    group = pl.struct(_GROUP).rank("dense").cast(pl.Int64)
    grouped = charged.with_columns(document=group)
    if inputs.seller.skip_zero:
        grouped = _without_zero_documents(grouped, shares, inputs)
    taxes = tax_per_rate(grouped)
    netted = grouped.with_columns(net_lines(grouped, taxes).alias("net_minor"))
    placed = netted.with_columns(position=pl.int_range(1, pl.len() + 1).over("document"))
    documents = _totals(placed, taxes, inputs)
    kept = shares.join(placed.select("line"), on="line", how="semi")
    return Draft(placed, documents, taxes, kept, review)


def _without_zero_documents(lines: pl.DataFrame, shares: pl.DataFrame, inputs: BillingInputs) -> pl.DataFrame:
    """Leaves out documents whose every line is nothing. A one-time amount that made it nothing must be kept on record."""
    spent = shares.select("line").unique().with_columns(spends=pl.lit(True))
    marked = lines.join(spent, on="line", how="left", maintain_order="left")
    worth = (pl.col("charged_minor") != 0) | pl.col("spends").fill_null(False)
    return marked.filter(worth.any().over("document")).drop("spends")


def _totals(lines: pl.DataFrame, taxes: pl.DataFrame, inputs: BillingInputs) -> pl.DataFrame:
    """One row a document: what is on it and what it sums to; signed, a credit note is negative."""
    head = lines.group_by("document", maintain_order=True).agg(
        *(pl.col(name).first() for name in _GROUP if name != "own_invoice"),
        pl.col("service_start").min(), pl.col("service_end").max(), lines=pl.len(),
        subtotal_minor=pl.col("amount_minor").sum(), discount_minor=pl.col("discount_minor").sum(),
        net_minor=pl.col("net_minor").sum(),
    )  # fmt: skip
    vat = taxes.group_by("document").agg(pl.col("tax_minor").sum())
    summed = head.join(vat, on="document", how="left", maintain_order="left").with_columns(
        total_minor=pl.col("net_minor") + pl.col("tax_minor")
    )
    return summed.with_columns(
        kind=pl.when(pl.col("total_minor") < 0).then(pl.lit("credit_note")).otherwise(pl.lit("invoice")),
        tax_in_company_currency_minor=_in_company_currency(inputs),
    )


def _in_company_currency(inputs: BillingInputs) -> pl.Expr:
    """VAT in the company's currency by its dated rate; null for documents that are in it already."""
    home = exponent_of(inputs.seller.currency)
    wide = pl.Int128()
    result = pl.lit(None, dtype=pl.Int64)
    for currency, rate in inputs.currency_rates.items():
        top, below = rate * 10**home, CURRENCY_RATE_SCALE * 10 ** exponent_of(currency)
        converted = divide(pl.col("tax_minor").cast(wide) * pl.lit(top, dtype=wide), pl.lit(below, dtype=wide)).cast(
            pl.Int64
        )
        result = pl.when(pl.col("currency") == currency).then(converted).otherwise(result)
    return result
