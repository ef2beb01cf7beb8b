"""The decision memo of a scenario: one printed page with the sentence, the numbers, who is hit, and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from core.documents.answer_words import break_even, brought_up, chance, dates, decisive, reached, spread
from core.documents.customer_overview import Made
from core.documents.paper import pdf
from core.documents.scenario_words import USUAL, assumed, beyond_text, edge_text, sentence
from core.documents.words import Words
from core.domain.price_form import read
from core.domain.scenarios import from_json
from core.language import formats


def memo(
    found: dict[str, Any], language: str, *, company: str, link: str = "", notes: str = "",
    decisions: Sequence[Mapping[str, Any]] = (),
) -> Made:  # fmt: skip
    """The memo as PDF; the same numbers give the same bytes. `found`: what `reports.scenarios.simulate` says; `decisions` of it so far."""
    words = Words.of(language)
    t, scenario, exact, hoped = words.t, found["scenario"], found["exact"], found["expected"]
    currency = scenario["currency"]

    def amount(minor: float, *, sign: bool = True) -> str:
        return formats.money(round(minor), currency, words.language, sign=sign)

    def about(minor: float) -> str:
        return words.whole_money(minor, currency)

    share, gain, pays = words.share, hoped["gain"], break_even(found, words)
    content = {
        "made": [int(part) for part in found["as_of"].split("-")],
        "seller": {"name": company, "foot": t("Data of {day}, state {hash}, engine {engine}", day=date.fromisoformat(found["as_of"]), hash=found.get("data_hash", ""), engine=found["engine"])},
        "reached": t("{reached}; all amounts are without VAT", reached=reached(exact, words)), "page": t("page"), "of": t("of"), "sentence": said(found, words), "name": scenario["name"],
        "figures": [
            [t("A month, nobody reacting"), amount(exact["delta_minor"]), f"{t('Data')} · {share(exact['delta_share'], sign=True)}"],
            [t("Expected in {count} months", count=scenario["horizon_months"]), about(gain["middle"]),
             f"{t('Assumption')} · {about(gain['low'])} – {about(gain['high'])} · {chance(hoped, words)}; {t('a month at the end {steady}', steady=about(hoped['steady']['middle']))}"],
            [pays.title, pays.value, pays.sensitivity and f"{t('Assumption')} · {pays.sensitivity}"],
            [t("Earned in the first year"), amount(exact["recognised_first_year_minor"]),
             f"{t('Data')} · {t('expected NRR {after} instead of {before}', after=share(hoped['nrr_after']), before=share(hoped['nrr_before']))}"],
        ],
        "hit_title": t("Who is hit"), "band_title": t("Change of the bill"), "customers_title": t("Customers"), "money_title": t("A month"),
        "bands": [
            [_band(band, share), str(band["customers"]), amount(band["delta_minor"])] for band in exact["bands"] if band["customers"]
        ],
        "hit": _lines(
            spread(found, words),
            brought_up(exact, currency, words),
            t("{count} bills rise by more than 25 %, or for the second time within a year", count=exact["red"]),
            t("If everybody stays {highest} a month, if everybody takes the cheapest plan {lowest}: whatever one believes, the truth about those who stay lies between.",
              highest=amount(exact["highest_minor"], sign=False), lowest=amount(exact["lowest_minor"], sign=False)),
            *(edge_text(edge, currency, words) for edge in exact.get("edges", [])),
            dates(exact, words),
        ),
        "break_title": t("Break-even"), "breaks": _lines(f"{pays.title} {pays.value}", pays.more),
        "assumed_title": t("What is assumed"),
        "assumed": _lines(
            *([beyond_text(exact["beyond"], words)] if exact.get("beyond") else []),
            t("Unless said otherwise: sensitivity κ {kappa} from Netflix 2022 (Antenna), being told from Ascarza and others 2016; lasting share and fading are pure assumptions.", kappa=words.number(float(USUAL.kappa))),
            *assumed(from_json(scenario), words),
            t("Monthly churn {churn} from own history, {events} who left.", churn=share(hoped["base_churn"], 2), events=hoped["churn_events"]),
            notes,
        ),
        "decided_title": t("Decided"),
        "decided": [
            " · ".join(filter(None, (words.label(each["decision"]).capitalize(), each["author"], formats.day(each["recorded_at"].date(), words.language), each["note"])))
            for each in decisions
        ],
        "mind_title": t("What would change our mind"),
        "mind": _lines(*(t("{assumption}: {low} if low, {high} if high", assumption=name, low=about(low), high=about(high)) for name, low, high in decisive(hoped, words)[:3])),
        "gap": t("Nothing was billed yet that re-rated history could be held against.") if found.get("gap_ppm") is None
        else t("Re-rated history differs from the invoices by {gap}.", gap=share(found["gap_ppm"] / 1e6, 3)), "link": link,
    }  # fmt: skip
    return Made(pdf("memo", content, t("Decision memo"), words.language), f"memo-{found['as_of']}.pdf")


def said(found: dict[str, Any], words: Words) -> str:
    """The sentence of numbers that were made before: from the prices that were sold then."""
    scenario, prices = from_json(found["scenario"]), found.get("prices")
    if prices is None:
        return scenario.name
    made_on = date.fromisoformat(found["as_of"])
    return sentence(scenario, read(prices["before"]).terms, prices["plan"], words, made_on, exact=found["exact"])


def _lines(*texts: str) -> list[str]:
    """Those that say something, each a line of its own."""
    return [f"{text[:1].upper()}{text[1:]}" for text in texts if text]


def _band(band: dict[str, Any], share: Any) -> str:
    low, high = band["from"], band["to"]
    if low is None:
        return f"≤ {share(high, 0, sign=True)}" if high is not None else "–"
    return (
        f"> {share(low, 0, sign=True)}" if high is None else f"{share(low, 0, sign=True)} – {share(high, 0, sign=True)}"
    )
