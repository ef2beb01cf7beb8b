"""What the numbers mean agrees with them: a gain, a loss, no break-even, nobody concerned."""

from __future__ import annotations

from typing import Any

import pytest

from core.documents import answer_words
from core.documents.words import Words

EN = Words.of("en")


def found(
    middle: float = 1_000, *, loss: float | None = 0.1, kappa: float | None = 5.0, delta: int = 100, changed: int = 7
) -> dict[str, Any]:
    """A rise that pays unless one of ten leaves, with what differs."""
    hoped = {
        "gain": {"middle": middle, "above_zero": 0.8}, "break_even_loss": loss, "break_even_churn": 0.03 if loss else None,
        "break_even_kappa": kappa, "kappa": 2.5, "base_churn": 0.02,
    }  # fmt: skip
    return {"exact": {"changed": changed, "moved": 7, "delta_minor": delta}, "expected": hoped}


@pytest.mark.parametrize(
    ("numbers", "title", "value", "more", "sensitivity"),
    [
        (found(), "Pays unless more leave than", "10.0 %", "breaks even at a monthly churn of 3.00 % instead of 2.00 %", "2 times as sensitive"),
        (found(kappa=None), "Pays unless more leave than", "10.0 %", "breaks even", "pays however sensitive"),
        (found(-1, kappa=1.0), "Would pay if no more left than", "10.0 %", "more is expected, so the middle case is a loss", "0.4 times as sensitive"),
        (found(-1, kappa=None), "Would pay if no more left than", "10.0 %", "a loss", "does not pay even if"),
        (found(1, loss=None, kappa=None, delta=-5), "Break-even", "–", "what is gained comes from those who stay", ""),
        (found(-1, loss=None, kappa=None, delta=-5), "Break-even", "–", "do not make up for that", ""),
        (found(1, loss=None, kappa=None), "Break-even", "–", "bring no more than they cost", ""),
        (found(0, loss=None, kappa=None, delta=0, changed=0), "Break-even", "–", "No bill", ""),
    ],
)  # fmt: skip
def test_the_break_even_agrees_with_the_expected_effect(
    numbers: Any, title: str, value: str, more: str, sensitivity: str
) -> None:
    said = answer_words.break_even(numbers, EN)

    assert (said.title, said.value.replace("\u00a0", " ")) == (title, value)
    assert more in said.more.replace("\u00a0", " ")
    assert sensitivity in said.sensitivity
    assert bool(said.sensitivity) == bool(sensitivity)


def test_where_nothing_changes_nothing_is_said_of_chance() -> None:
    assert answer_words.chance({"gain": {"above_zero": None}}, EN) == "nothing changes"
    assert answer_words.chance({"gain": {"above_zero": 0.8}}, EN) == "chance of a gain 80\u00a0%"


def test_bills_that_only_fall_are_not_told_as_a_rise() -> None:
    assert spread(-0.1, -0.05, -0.01).startswith("no bill rises")
    assert spread(0.1, 0.2, 0.2).endswith("largest rise is +20.0 %")


def test_a_rise_beyond_the_limit_has_its_reason() -> None:
    beyond = "the largest rise is +10.2 %; it is more than 10 % because discounts come off after the limit"
    assert spread(0.05, 0.1, 0.1016, cap_ppm=100_000).endswith(beyond)
    assert spread(0.05, 0.1, 0.1004, cap_ppm=100_000).endswith("the largest rise is +10.0 %"), "as it is read"


def spread(p50: float, p90: float, most: float, cap_ppm: int | None = None) -> str:
    """What is said of these changes of single bills."""
    exact = {"quantiles": {"p50": p50, "p90": p90, "max": most}}
    return answer_words.spread({"exact": exact, "scenario": {"cap_ppm": cap_ppm}}, EN).replace("\u00a0", " ")


def test_letters_and_new_prices_have_their_days() -> None:
    told = {"letters": ["2026-12-01", "2026-12-01"], "starts": ["2027-01-01", "2027-01-31"]}
    assert answer_words.dates(told, EN) == (
        "letters go out on 1 Dec 2026, the new prices begin from 1 Jan 2027 to 31 Jan 2027"
    )
    assert answer_words.dates({"letters": [], "starts": []}, EN) == ""


def test_low_and_high_are_of_what_the_words_say() -> None:
    """Half has faded late (a high number) where it fades slowly: "how fast it fades" is low there."""
    rows = [{"assumption": "half_life", "low": 60, "high": 10}, {"assumption": "kappa", "low": 50, "high": 20}]
    assert answer_words.decisive({"tornado": rows}, EN) == [
        ("how fast it fades", 10, 60),
        ("how many leave for a rise", 50, 20),
    ]
