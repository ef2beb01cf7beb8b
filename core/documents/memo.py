"""The decision memo of a scenario: one printed page with the sentence, the numbers, who is hit, and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.calc.simulation.response import Reaction
from core.documents.customer_overview import Made
from core.documents.paper import pdf
from core.documents.scenario_words import beyond_text, edge_text, sentence
from core.documents.words import Words
from core.domain.price_form import read
from core.domain.scenarios import from_json
from core.language import formats

USUAL = Reaction()


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
        """An amount that rests on assumptions: whole units, for more would pretend to know more."""
        return formats.whole_money(round(minor), currency, words.language, sign=True)

    def share(value: float | None, places: int = 1) -> str:
        return formats.share(value, words.language, places)

    gain = hoped["gain"]
    content = {
        "made": [int(part) for part in found["as_of"].split("-")],
        "seller": {"name": company, "foot": t("Data of {day}, state {hash}, engine {engine}", day=found["as_of"], hash=found.get("data_hash", ""), engine=found["engine"])},
        "page": t("page"), "of": t("of"), "sentence": said(found, words), "name": scenario["name"],
        "figures": [
            [t("A month, nobody reacting"), amount(exact["delta_minor"]), f"{t('Data')} · {share(exact['delta_share'])}"],
            [t("Expected in {count} months", count=scenario["horizon_months"]), about(gain["middle"]),
             f"{t('Assumption')} · {about(gain['low'])} – {about(gain['high'])}"],
            [t("Pays unless more leave than"), share(hoped["break_even_loss"]), t("chance of a gain {chance}", chance=share(gain["above_zero"], 0))],
        ],
        "hit_title": t("Who is hit"), "band_title": t("Change of the bill"), "customers_title": t("Customers"), "money_title": t("A month"),
        "bands": [
            [_band(band, share), str(band["customers"]), amount(band["delta_minor"])] for band in exact["bands"] if band["customers"]
        ],
        "hit": [
            t("half rise by at most {p50}, nine of ten by at most {p90}, the most by {max}", p50=share(exact["quantiles"]["p50"]), p90=share(exact["quantiles"]["p90"]), max=share(exact["quantiles"]["max"])),
            t("{count} bills rise by more than 25 %, or for the second time within a year", count=exact["red"]),
            t("If everybody stays {highest} a month, if everybody takes the cheapest plan {lowest}: whatever one believes, the truth about those who stay lies between.",
              highest=amount(exact["highest_minor"], sign=False), lowest=amount(exact["lowest_minor"], sign=False)),
            *(edge_text(edge, scenario["currency"], words) for edge in exact.get("edges", [])),
        ],
        "break_title": t("When it stops paying"),
        "breaks": [text for text in (
            t("if monthly churn rises from {now} to {then} for good", now=share(hoped["base_churn"], 2), then=share(hoped["break_even_churn"], 2)) if hoped["break_even_churn"] is not None else "",
            t("if customers are more than {times} times as sensitive as assumed", times=formats.number(hoped["break_even_kappa"] / hoped["kappa"], words.language, places=1)) if hoped["break_even_kappa"] else "",
        ) if text],
        "assumed_title": t("What is assumed"),
        "assumed": [
            *([beyond_text(exact["beyond"], words)] if exact.get("beyond") else []),
            t("Unless said otherwise: sensitivity κ {kappa} from Netflix 2022 (Antenna), being told from Ascarza and others 2016; lasting share and fading are pure assumptions.", kappa=formats.number(float(USUAL.kappa), words.language, places=1)),
            *(t("{assumption}: {number} instead of the default", assumption=words.label(name), number=formats.number(value, words.language, places=2)) for name, value in _pairs(scenario["assumptions"]) if value != getattr(USUAL, name, None)),
            t("Monthly churn {churn} from own history, {events} who left.", churn=share(hoped["base_churn"], 2), events=hoped["churn_events"]),
            *([notes] if notes else []),
        ],
        "decided_title": t("Decided"),
        "decided": [
            " · ".join(filter(None, (words.label(each["decision"]).capitalize(), each["author"], formats.day(each["recorded_at"].date(), words.language), each["note"])))
            for each in decisions
        ],
        "mind_title": t("What would change our mind"),
        "mind": [t("{assumption}: {low} to {high}", assumption=words.label(row["assumption"]), low=about(row["low"]), high=about(row["high"])) for row in hoped["tornado"][:3]],
        "gap": t("Nothing was billed yet that re-rated history could be held against.") if found.get("gap_ppm") is None
        else t("Re-rated history differs from the invoices by {gap}.", gap=share(found["gap_ppm"] / 1e6, 3)), "link": link,
    }  # fmt: skip
    return Made(pdf("memo", content, t("Decision memo"), words.language), f"memo-{found['as_of']}.pdf")


def said(found: dict[str, Any], words: Words) -> str:
    """The sentence of numbers that were made before: from the prices that were sold then."""
    scenario, prices = from_json(found["scenario"]), found.get("prices")
    if prices is None:
        return scenario.name
    begins = found["exact"].get("begins", ())
    return sentence(scenario, read(prices["before"]).terms, prices["plan"], words, begins)


def _pairs(given: Any) -> list[tuple[str, float]]:
    """What is assumed other than usual, however the scenario was written down."""
    return list(given.items()) if isinstance(given, dict) else [(name, value) for name, value in given]


def _band(band: dict[str, Any], share: Any) -> str:
    low, high = band["from"], band["to"]
    if low is None:
        return f"≤ {share(high, 0)}" if high is not None else "–"
    return f"> {share(low, 0)}" if high is None else f"{share(low, 0)} – {share(high, 0)}"
