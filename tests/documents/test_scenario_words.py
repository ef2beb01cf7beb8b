"""A pricing change as one sentence: what it does, not how it was written down."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from core.documents.scenario_words import beyond_text, differences, sentence
from core.documents.words import Words
from core.domain.scenarios import Edit, Existing, Scenario
from tests.domain.test_price_form import TERMS

TODAY = date(2026, 11, 27)
PLAIN = Scenario("Dearer", "pro", "KWD", interval="quarter")


def said(*edits: Edit, language: str = "en", **more: object) -> str:
    told = sentence(replace(PLAIN, edits=edits, **more), TERMS, "Pro", Words.of(language), TODAY)  # type: ignore[arg-type]
    return told.replace("\u00a0", " ").removeprefix("Pro, per quarter: ").removeprefix("Pro, per kvartal: ")


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ((Edit("fee", "flat_amount", "12"),), "Fee 9.500 KWD → 12.000 KWD"),
        ((Edit("seat", "flat_amount", "25", 1),), "Seats above 5: 20.000 KWD → 25.000 KWD"),
        ((Edit("u", "package_size", "4"),), "Use up to 10.5: Package size 3 → 4"),
        ((Edit("fee", "unit_amount", "99"),), "prices as they are sold today"),
        ((Edit("a", "removed", "yes"),), "Extra is no longer charged"),
        ((Edit("u", "first_tier_flat_at_zero", "yes"),), "Use: First fee also at zero no → yes"),
        ((Edit("fee", "name", "2027"),), "Fee: Name Fee → 2027"),
        ((Edit("", "minimum_commitment", "20"),), "Minimum commitment 12.345 KWD → 20.000 KWD"),
        (
            (Edit("z", "kind", "usage"), Edit("z", "name", "Z"), Edit("z", "meter", "m"), Edit("z", "model", "per_unit"),
             Edit("z", "unit_amount", "9"), Edit("z", "included_units", "3")),
            "new: Z 9.000 KWD a unit, 3 included",
        ),
    ],
)  # fmt: skip
def test_each_change_is_told_once_and_in_words(edits: tuple[Edit, ...], words: str) -> None:
    assert said(*edits).startswith(f"{words}; existing customers")


def test_for_whom_and_when_is_said_with_its_day() -> None:
    assert said(notice_days=1).endswith("; existing customers at their next renewal, with 1 day of notice")
    on = {"existing": Existing.DATE, "existing_on": date(2027, 1, 1)}
    assert said(**on).endswith("; existing customers on 1 Jan 2027, with 30 days of notice")
    assert said(existing=Existing.NEVER).endswith("; existing customers keep their prices")
    assert said(notice_days=1, language="nb").endswith("; eksisterende kunder ved neste fornyelse, med 1 dags varsel")


def test_new_customers_have_a_day_of_their_own_when_it_is_to_come() -> None:
    june = date(2027, 6, 1)
    assert said(from_on=june).endswith("; new customers from 1 Jun 2027; existing customers at their next renewal, with 30 days of notice")  # fmt: skip
    assert "; nye kunder fra 1. juni 2027; eksisterende kunder" in said(from_on=june, language="nb")
    assert said(from_on=TODAY) == said(from_on=date(2026, 1, 1)) == said()
    later = [(replace(PLAIN, from_on=day), TERMS, "Pro") for day in (TODAY, june)]
    assert differences(later, Words.of("en")) == [["new customers from 27 Nov 2026"], ["new customers from 1 Jun 2027"]]


def test_who_is_left_out_and_in_which_waves_is_part_of_what_is_approved() -> None:
    told = said(waves=3, wave_months=2, kinds=("business",), exempt=("K1",), hold_out_ppm=50_000, agreed_too=True)
    assert told.endswith(
        "; in 3 waves, 2 months apart; only business; 1 customer exempt; 5 % of them keep their prices for comparison; agreed prices too"
    )
    assert "waves" not in said(waves=3, wave_months=2, existing=Existing.NEVER)
    assert said(exempt=("K1", "K2"), language="nb").endswith("; 2 kunder unntatt")


def test_waves_are_told_as_people_count_them() -> None:
    assert "in 2 waves, 1 month apart" in said(waves=2)
    assert "i 2 bølger med 1 måneds mellomrom" in said(waves=2, language="nb")

    def late(*waves: int) -> str:
        return beyond_text({"subscriptions": 95, "waves": list(waves), "first_on": "2028-01-01"}, Words.of("en"))

    assert late(2).startswith("Not counted: 95 subscriptions of wave 2, whose")
    assert late(2, 3, 4).startswith("Not counted: 95 subscriptions of waves 2–4, whose")
    assert late(2, 4).startswith("Not counted: 95 subscriptions of waves 2, 4, whose")


def test_what_an_add_on_costs_is_not_told_of_one_that_is_included() -> None:
    edits = (Edit("a", "unit_amount", "9"), Edit("a", "package_size", "5"), Edit("fee", "flat_amount", "12"))
    assert said(*edits, bundled=("a",)).startswith("Fee 9.500 KWD → 12.000 KWD; Extra included; existing customers")


def test_what_differs_is_said_of_whoever_has_no_limit_too() -> None:
    limited = replace(PLAIN, cap_ppm=100_000)
    told = differences([(each, TERMS, "Pro") for each in (PLAIN, limited)], Words.of("en"))
    assert told == [["no limit"], ["a rise of 10\u00a0% at most"]]
    assert differences([(PLAIN, TERMS, "Pro")] * 2, Words.of("en")) == [[], []]
