"""The customer overview: one clear page about the active subscriptions, in the customer's language.

What each contains, what it costs and why, what changes when, how to pay, how to change or leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
from sqlalchemy.orm import Session

from core.calc.breakdown import Part
from core.calc.calendar import OPEN
from core.documents.paper import pdf
from core.documents.price_words import limit_text, more_text, prices_text
from core.documents.words import Words
from core.domain.errors import Conflict
from core.domain.periods import Interval, Unit
from core.domain.price_form import interval_name
from core.domain.subscriptions import ChangeKind
from core.reports.ahead import Ahead, ahead
from core.reports.contents import Contents, contents
from core.reports.letters import told_of
from core.reports.one_customer import OneCustomer, one_customer
from core.store import billing

DAY = timedelta(days=1)
MICRO = 10**6


@dataclass(frozen=True)
class Made:
    """A document ready to send."""

    content: bytes
    file_name: str


def customer_overview(session: Session, external_id: str, today: date) -> Made:
    """The overview of a customer's active subscriptions as PDF. Raises NotFound, Conflict (nothing is active)."""
    view = one_customer(session, external_id, today)
    coming = ahead(session, [view.customer_id], today, turns=2)
    whole = contents(session, view.customer_id, today, coming)
    running = [each for each in whole.values() if each.version is not None and each.now["ends_on"] > today]
    if not running:
        raise Conflict(
            "{name} has no subscription that runs", code="nothing_runs", name=view.said.get("name", external_id)
        )
    seller = dict(billing.company_profile(session, today)._mapping)
    words = Words.of(view.said.get("language", "en"))
    told = {row["change_id"]: row for row in told_of(session, view.customer_id, today).rows.iter_rows(named=True)}
    maker = _Maker(words, view, coming, seller, told, today)
    title = words.t("Your subscription") if len(running) == 1 else words.t("Your subscriptions")
    content = maker.content(running)
    name = f"{external_id}-{today.isoformat()}.pdf"
    return Made(pdf("customer_overview", content, title, words.language), name)


@dataclass(frozen=True)
class _Maker:
    """What every part of the page is told with."""

    words: Words
    view: OneCustomer
    coming: Ahead
    seller: dict[str, Any]
    told: dict[int, dict[str, Any]]
    today: date

    def content(self, running: list[Contents]) -> dict[str, Any]:
        """Everything the template shows, as finished text."""
        t, said = self.words.t, self.view.said
        postal = f"{said.get('postal_code', '')} {said.get('city', '')}".strip()
        return {
            "made": [self.today.year, self.today.month, self.today.day],
            "seller": self._seller(),
            "to_title": t("To"),
            "to": [text for text in (said.get("name"), *str(said.get("address", "")).splitlines(), postal) if text],
            "facts": [
                [t("Customer id"), self.view.external_id],
                [t("Date"), self.words.day(self.today)],
                [t("Customer since"), self.words.day(self.view.created_on)],
            ],
            "subscriptions": [self._subscription(each) for each in running],
            "sections": [{"title": t("How you pay"), "lines": self._paying()}, {"title": t("How to change or leave"), "lines": self._leaving(running)}],
            "page": t("page"),
            "of": t("of"),
        }  # fmt: skip

    def _seller(self) -> dict[str, Any]:
        seller = self.seller
        register = "MVA" if seller["vat_registered"] and seller["country"] == "NO" else ""
        number = f"{seller['organisation_number']} {register}".strip()
        town = f"{seller['postal_code']} {seller['city']}".strip()
        return {
            "name": seller["legal_name"],
            "foot": " · ".join(filter(None, (seller["legal_name"], seller["address"], town, number))),
        }

    def _subscription(self, each: Contents) -> dict[str, Any]:
        """One subscription: head, parts, what changes."""
        t, version = self.words.t, each.version
        assert version is not None, "only subscriptions in service are shown"
        interval = self.words.label(interval_name(Interval(Unit(version["interval_unit"]), version["interval_count"])))
        vat = t("with VAT") if version["tax_inclusive"] else t("before VAT")
        head = [[t("Price for one {interval}", interval=interval), self._money(each, each.period_minor), vat]]
        following = self._next_invoice(each)
        if following:
            head.append(following)
        head.append([t("Subscription"), each.external_id, t("since {day}", day=each.started_on)])
        return {
            "name": version["plan"],
            "head": head,
            "columns": [t("What it contains"), t("Quantity"), t("Amount")],
            "parts": self._parts(each) + self._metered(each) + self._usage(each),
            "changes_title": t("What changes when"),
            "changes": self._changes(each),
        }

    def _money(self, each: Contents, amount_minor: int) -> str:
        assert each.version is not None
        return self.words.money(amount_minor, each.version["currency"])

    def _next_invoice(self, each: Contents) -> list[str] | None:
        """When the next invoice with this subscription comes, and how much is to pay, VAT included."""
        if self.coming.documents.is_empty():
            return None
        own = self.coming.lines.filter(pl.col("subscription_id") == each.subscription_id)
        documents = self.coming.documents.join(own.select("document").unique(), on="document", how="semi").sort("day")
        if documents.is_empty():
            return None
        first = documents.row(0, named=True)
        amount = self.words.money(first["total_minor"], first["currency"])
        return [self.words.t("Next invoice"), amount, self.words.t("{day}, with VAT", day=first["day"])]

    def _parts(self, each: Contents) -> list[dict[str, Any]]:
        """Recurring parts with why, and the discounts on them."""
        rows = [
            {"name": part["name"], "why": self._why(part["why"], each), "quantity": self.words.quantity(part["quantity_micro"]),
             "amount": self._money(each, part["amount_minor"])}
            for part in each.parts
        ]  # fmt: skip
        if each.minimum_minor > sum(part["amount_minor"] for part in each.parts):
            rows.append({"name": self.words.t("At least, with what is used"), "why": [], "quantity": "",
                         "amount": self._money(each, each.minimum_minor)})  # fmt: skip
        if each.limit:
            rows.append({"name": self.words.t("Limit on the price rise"), "why": limit_text(each.limit, self.words), "quantity": "",
                         "amount": self._money(each, each.limit["amount_minor"])})  # fmt: skip
        return rows + [
            {"name": self._discount(row, each), "why": self._until(row), "quantity": "", "amount": ""}
            for row in each.discounts
        ]

    def _why(self, parts: list[Part], each: Contents) -> list[str]:
        """Tier by tier; nothing for what costs one fixed price."""
        told = []
        for part in parts:
            values = {
                name: self.words.price(value, each.version["currency"])
                if name in ("price", "flat") and each.version
                else value
                for name, value in part.values.items()
            }
            told.append(", ".join(self.words.t(str(says), **values) for says in part.says))
        return (
            [text[:1].upper() + text[1:] for text in told]
            if len(told) > 1 or any(len(part.says) > 1 for part in parts)
            else []
        )

    def _discount(self, row: dict[str, Any], each: Contents) -> str:
        worth = (
            self.words.percent(row["rate_ppm"])
            if row["kind"] == "percent"
            else self.words.money(row["left_minor"], row["currency"])
        )
        return self.words.t("Discount {worth}: {name}", worth=worth, name=row["name"] or row["code"])

    def _until(self, row: dict[str, Any]) -> list[str]:
        if row["until"] is None and row["duration"] == "once":
            return [self.words.t("once, on the next invoices until it is used up")]
        if row["until"] is None:
            return [self.words.t("for as long as the subscription runs")]
        return [self.words.t("through {day}", day=row["until"] - DAY)]

    def _metered(self, each: Contents) -> list[dict[str, Any]]:
        """What usage costs, whether or not there is any."""
        assert each.version is not None
        currency = each.version["currency"]
        rows = []
        for charge in each.metered:
            said = [prices_text(charge, currency, self.words), more_text(charge, currency, self.words)]
            told = {"name": charge.name or charge.code, "why": [text for text in said if text]}
            rows.append({**told, "quantity": "", "amount": ""})
        return rows

    def _usage(self, each: Contents) -> list[dict[str, Any]]:
        """Metered parts: what was used so far in the running period."""
        rows = []
        for row in each.usage:
            why = [
                self.words.t(
                    "So far, from {start}; billed after {last}", start=row["period_start"], last=row["period_end"] - DAY
                )
            ]
            if row["included_units"] not in ("0", ""):
                why.append(self.words.t("{units} are included", units=row["included_units"]))
            rows.append(
                {
                    "name": row["name"],
                    "why": why,
                    "quantity": self.words.quantity(row["quantity_micro"], row["convert_by"]),
                    "amount": self._money(each, row["amount_minor"]),
                }
            )
        return rows

    def _changes(self, each: Contents) -> list[list[str]]:
        """Days on which something becomes different, in their order."""
        t, now, version = self.words.t, each.now, each.version
        assert version is not None
        found: list[tuple[date, str]] = []
        if now["trial_end"] and now["trial_end"] > self.today:
            found.append((now["trial_end"], t("The trial is over and billing begins")))
        if now["pause_from"] and now["pause_until"] != OPEN:
            found.append((now["pause_until"], t("Service goes on after the pause")))
        if version["expires_on"] and version["expires_on"] > self.today:
            found.append((version["expires_on"], t("The price agreed with you runs out")))
        found += [
            (row["until"], t("The discount {name} is over", name=row["name"] or row["code"]))
            for row in each.discounts
            if row["until"]
        ]
        found += [(change["effective_on"], text) for change in each.planned if (text := self._planned(change))]
        if now["ends_on"] != OPEN:
            found.append((now["ends_on"] - DAY, t("Last day of the subscription")))
        elif now["period_end"] and not found:
            found.append((now["period_end"], t("A new period begins, with the same price")))
        return [[self.words.day(day), text] for day, text in sorted(found)]

    def _planned(self, change: dict[str, Any]) -> str:
        """A change that is ahead, in a sentence; ends stand by themselves."""
        t, kind = self.words.t, change["kind"]
        if kind == ChangeKind.PRICE:
            limit = self.told.get(change["change_id"], change)
            return "; ".join([t("New prices: {plan}", plan=change["plan"]), *limit_text(limit, self.words)])
        if kind == ChangeKind.QUANTITY:
            return t("Quantity {quantity}", quantity=self.words.quantity(change["quantity_micro"]))
        if kind == ChangeKind.ADDON:
            return t("{item}: {quantity}", item=change["item"], quantity=self.words.quantity(change["quantity_micro"]))
        if kind == ChangeKind.COUPON:
            return t("The discount {name} begins", name=change["coupon"])
        if kind == ChangeKind.PAUSE:
            return t("Service is paused")
        return t("Service goes on") if kind == ChangeKind.RESUME else ""

    def _paying(self) -> list[str]:
        t, said, seller = self.words.t, self.view.said, self.seller
        terms = said.get("terms_days") if said.get("terms_days") is not None else seller["terms_days"]
        lines = [
            t("You have chosen {option}; invoices come by {channel}.", option=self.words.label(said["payment_option"]), channel=self.words.label(said["channel"])),
            t("Each invoice is due {days} days after its date and says its own payment reference.", days=terms),
        ]  # fmt: skip
        account = seller["bank_account"] or seller["iban"]
        return [*lines, t("Account: {account}", account=account)] if account else lines

    def _leaving(self, running: list[Contents]) -> list[str]:
        t, seller = self.words.t, self.seller
        contact = " · ".join(filter(None, (seller["email"], seller["phone"])))
        lines = [
            t(
                "You can change plan, quantity and add-ons, take a pause or leave: tell us, and we show you what it costs before anything happens."
            )
        ]
        for each in running:
            name = f"{each.version['plan']}: " if each.version and len(running) > 1 else ""
            notice = max(each.now["notice_days"] or 0, each.now["agreed_notice_days"] or 0)
            said = (
                t("{days} days of notice", days=notice)
                if notice
                else t("no notice: you can leave at the end of any period")
            )
            lines.append(name + said if name else said[:1].upper() + said[1:])
            term = each.now["minimum_term_until"]
            if term and term > self.today:
                lines.append(name + t("agreed through {day}", day=term - DAY))
        return [*lines, contact] if contact else lines
