"""A pricing change as one sentence, in its reader's language: the same on the page, in the memo and at the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from core.calc.simulation.response import Reaction
from core.documents.price_words import bound_text, counted, field_name, prices_text, whole_text
from core.documents.words import Words
from core.domain.money import parse_decimal
from core.domain.plans import Charge, PriceTerms
from core.domain.price_edits import KIND, REMOVED, TIERS, WHOLE, applied, between
from core.domain.price_form import EVENT_FIELDS, PLACES_TYPED, TIER_CELLS, fill, read
from core.domain.scenarios import Edit, Existing, Scenario, kept_edits

USUAL = Reaction()
_AMOUNTS = ("flat_amount", "unit_amount", "fixed_amount", "min_amount", "max_amount", "minimum_commitment", "free_amount", "min_per_event", "max_per_event")  # fmt: skip
_FLAGS = ("first_tier_flat_at_zero",)
_TEXTS = ("name", "meter", "vat_category")
_WORDS = ("timing", "package_rounding", "convert_rounding")
_SHAPES = (KIND, TIERS, "model")  # with them a charge is told whole, not cell by cell


def sentence(
    scenario: Scenario, before: PriceTerms, plan: str, words: Words, today: date, *,
    exact: Mapping[str, Any] = MappingProxyType({}),
) -> str:  # fmt: skip
    """What changes from which prices, for whom and when. `exact`: `reports.scenarios.exact_numbers`, once they are known.

    A day for new customers is said when it is to come on the day that the numbers are of: else they get the prices once these are
    published.
    """
    said = words.t(
        "{plan}, per {interval}: {change}", plan=plan, interval=words.label(scenario.interval),
        change="; ".join(_change(scenario, before, words)),
    )  # fmt: skip
    newcomers = _newcomers(scenario, words) if scenario.from_on and scenario.from_on > today else []
    return "; ".join([said, *newcomers, _whom(scenario, words, exact), *_besides(scenario, words)])


def _change(scenario: Scenario, before: PriceTerms, words: Words) -> list[str]:
    """What changes, and within which limits."""
    return [
        *(changes(scenario, before, words) or [words.t("prices as they are sold today")]),
        *_limits(scenario, words),
    ]


def differences(compared: Sequence[tuple[Scenario, PriceTerms, str]], words: Words) -> list[list[str]]:
    """In which pieces each of these scenarios differs from the others; `compared`: with the prices it begins from and its plan's name."""
    told = [
        [" · ".join((plan, scenario.currency, words.label(scenario.interval))), *_change(scenario, before, words),
         *([] if _limits(scenario, words) else [words.t("no limit")]), *_newcomers(scenario, words), _whom(scenario, words, {}), *_besides(scenario, words), *assumed(scenario, words),
         words.t("{count} months", count=scenario.horizon_months)]
        for scenario, before, plan in compared
    ]  # fmt: skip
    common = set.intersection(*(set(each) for each in told)) if len(told) > 1 else set()
    return [[piece for piece in each if piece not in common] for each in told]


def assumed(scenario: Scenario, words: Words) -> list[str]:
    """What is assumed other than usual."""
    return [
        words.t("{assumption}: {number} instead of the default", assumption=words.label(name), number=words.number(round(value, 2)))
        for name, value in scenario.assumptions if value != getattr(USUAL, name, None)
    ]  # fmt: skip


def _besides(scenario: Scenario, words: Words) -> list[str]:
    """What else was chosen about who gets the new prices, and when."""
    t, said = words.t, []
    if scenario.existing is not Existing.NEVER and scenario.waves > 1:
        said.append(
            t(
                "in {waves} waves, {apart}",
                waves=scenario.waves,
                apart=t("{count} months apart", count=scenario.wave_months),
            )
        )
    if scenario.kinds:
        said.append(t("only {kinds}", kinds=", ".join(words.label(kind) for kind in scenario.kinds)))
    if scenario.exempt:
        said.append(t("{count} customers exempt", count=len(scenario.exempt)))
    if scenario.hold_out_ppm:
        said.append(t("{share} of them keep their prices for comparison", share=words.percent(scenario.hold_out_ppm)))
    if scenario.agreed_too:
        said.append(t("agreed prices too"))
    return said


def _newcomers(scenario: Scenario, words: Words) -> list[str]:
    """From when new customers get the new prices."""
    return [words.t("new customers from {day}", day=words.day(scenario.from_on))] if scenario.from_on else []


def _whom(scenario: Scenario, words: Words, exact: Mapping[str, Any]) -> str:
    """When those who subscribe already get the new prices; a day that the notice does not allow is told with the one that it does,
    and a notice that is too short with the company's own."""
    if scenario.existing is Existing.NEVER:
        return words.t("existing customers keep their prices")
    days = dict.fromkeys(exact.get("notice") or [scenario.notice_days])
    notice = words.t("{count} days of notice", count="–".join(map(str, days)))
    if scenario.existing is Existing.DATE and scenario.existing_on:
        asked, begins = words.day(scenario.existing_on), map(date.fromisoformat, exact.get("begins", ()))
        real = [words.day(day) for day in begins]
        if real and real != [asked, asked]:
            day = " – ".join(dict.fromkeys(real))
            return words.t("existing customers on {day}, as soon after {asked} as the notice allows, with {notice}", day=day, asked=asked, notice=notice)  # fmt: skip
        return words.t("existing customers on {day}, with {notice}", day=asked, notice=notice)
    return words.t("existing customers at their next renewal, with {notice}", notice=notice)


def existing(words: Words) -> dict[str, str]:
    """When existing customers change."""
    t = words.t
    return {
        Existing.RENEWAL.value: t("at their next renewal"), Existing.DATE.value: t("on a day"),
        Existing.NEVER.value: t("never: they keep theirs"),
    }  # fmt: skip


def changes(scenario: Scenario, before: PriceTerms, words: Words) -> list[str]:
    """What changes in the prices, piece by piece: "Fee 89,00 kr → 109,00 kr"."""
    after = read(applied(before, kept_edits(scenario)), before.interval).terms
    old, new = ({charge.code: charge for charge in terms.charges} for terms in (before, after))
    said = list(dict.fromkeys(_told(between(before, after), before, old, new, words)))
    if scenario.bundled:
        names = ", ".join(old[code].name or code if code in old else code for code in scenario.bundled)
        said.append(words.t("{addons} included", addons=names))
    return said


def _told(
    edits: tuple[Edit, ...], before: PriceTerms, old: dict[str, Charge], new: dict[str, Charge], words: Words
) -> Iterator[str]:
    form = fill(before)
    cells = {charge["code"]: charge for charge in form["charges"]}
    whole = {edit.charge for edit in edits if edit.column in _SHAPES}
    for edit in edits:
        was, now = old.get(edit.charge), new.get(edit.charge)
        if edit.column in WHOLE and not edit.charge:
            yield _cell(field_name(edit.column, words), edit, form[edit.column], before.currency, words)
        elif was is not None and edit.column == REMOVED:
            yield words.t("{charge} is no longer charged", charge=was.name or was.code)
        elif was is None and now is not None:
            told = whole_text(now, before.currency, words)
            yield words.t(
                "new: {charge} {prices}", charge=now.name or now.code, prices=told or words.t("without a price yet")
            )
        elif was is not None and now is not None and edit.charge in whole:
            if edit.column in (*_SHAPES, *TIER_CELLS, *EVENT_FIELDS):
                both = (prices_text(each, before.currency, words) for each in (was, now))
                yield f"{now.name or now.code}{counted(was, now, words)} {' → '.join(both)}"
            else:
                yield _named(edit, was, cells[was.code], before.currency, words)
        elif was is not None:
            yield _named(edit, was, cells[was.code], before.currency, words)


def _named(edit: Edit, charge: Charge, cells: dict[str, Any], currency: str, words: Words) -> str:
    """One cell of a charge: its price by the charge's name alone, anything else by its own name too."""
    title = charge.name or charge.code
    in_tier = edit.column in TIER_CELLS and charge.events is None
    tier = cells[TIERS][edit.tier] if in_tier and edit.tier < len(cells[TIERS]) else cells
    several = in_tier and len(charge.tiers) > 1
    if several:
        title = f"{title} {_where(charge, edit.tier, words)}:"
    if edit.column not in ("flat_amount", "unit_amount", "rate_percent", "fixed_amount"):
        title = f"{title.removesuffix(':')}: {field_name(edit.column, words)}"
    return _cell(title, edit, tier.get(edit.column, ""), currency, words)


def _where(charge: Charge, place: int, words: Words) -> str:
    """For how much a tier holds: the last one above the bound of the one before."""
    up_to = charge.tiers[place].up_to
    if up_to is not None:
        return bound_text(up_to, words)
    return words.t("above {bound}", bound=words.number(charge.tiers[place - 1].up_to or 0))


def _cell(title: str, edit: Edit, was: Any, currency: str, words: Words) -> str:
    return f"{title} {_value(edit.column, was, currency, words)} → {_value(edit.column, edit.value, currency, words)}"


def _value(column: str, value: Any, currency: str, words: Words) -> str:
    """A cell as people read it."""
    text = str(value)
    if isinstance(value, bool) or column in _FLAGS:
        return words.t("yes") if text in ("True", "yes") else words.t("no")
    if not text:
        return words.t("none")
    if column in _AMOUNTS:
        return words.price(_decimal(text), currency)
    if column == "rate_percent":
        return f"{words.number(_decimal(text))} %"
    if column in _TEXTS:
        return text
    return words.label(text) if column in _WORDS else words.number(_decimal(text))


def _decimal(text: str) -> Decimal:
    return parse_decimal(text, places=PLACES_TYPED)


def _limits(scenario: Scenario, words: Words) -> list[str]:
    """How far bills may rise and fall."""
    said = []
    if scenario.cap_ppm is not None:
        said.append(words.t("a rise of {share} at most", share=words.percent(scenario.cap_ppm)))
    if scenario.floor_ppm is not None:
        said.append(words.t("a fall of {share} at most", share=words.percent(scenario.floor_ppm)))
    if scenario.capped:
        said.append(words.t("{count} customers limited to {share}", count=len(scenario.capped), share=words.percent(scenario.cap_one_ppm)))  # fmt: skip
    return said


def beyond_text(beyond: Mapping[str, Any], words: Words) -> str:
    """Whose new prices begin after the horizon. In: `beyond` as `reports.scenarios.exact_numbers` tells it."""
    waves, day = beyond["waves"], words.day(date.fromisoformat(beyond["first_on"]))
    whom = words.t("{count} subscriptions", count=beyond["subscriptions"])
    if len(waves) == 1:
        whom = words.t("{subscriptions} of wave {wave}", subscriptions=whom, wave=waves[0])
    elif waves:
        in_a_row = waves == list(range(waves[0], waves[-1] + 1))
        listed = f"{waves[0]}–{waves[-1]}" if in_a_row else ", ".join(str(wave) for wave in waves)
        whom = words.t("{subscriptions} of waves {waves}", subscriptions=whom, waves=listed)
    return words.t("Not counted: {whom}, whose new prices begin after the horizon, on {day} at the earliest.", whom=whom, day=day)  # fmt: skip


def edge_text(edge: Mapping[str, Any], currency: str, words: Words) -> str:
    """A bound at which the new prices fall: whoever is just below pays more than whoever is just above.

    In: an edge as `reports.scenarios.exact_numbers` tells it.
    """
    size = edge.get("convert_by")
    above, at = (words.quantity(edge[name], size) for name in ("above_micro", "at_micro"))
    said = words.t(
        "{charge}: {above} units cost {less}, {fall} less than {quantity}.",
        charge=edge["charge"], above=above, less=words.money(edge["above_minor"], currency),
        fall=words.money(edge["at_minor"] - edge["above_minor"], currency), quantity=at,
    )  # fmt: skip
    if not edge["bills"]:
        return said
    concerned = words.t("{count} bills of the last year are just below the bound: with more units they would cost less.", count=words.number(edge["bills"]))  # fmt: skip
    return f"{said} {concerned}"
