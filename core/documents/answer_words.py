"""What a scenario's numbers mean in words, in their reader's language: the same on the page and in the memo.

In: the numbers as `reports.scenarios.outcome` tells them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from core.documents.words import Words
from core.domain.scenarios import Assumption
from core.language import formats


class BreakEven(NamedTuple):
    """When a change pays: a title with its number, what else says the same, and how sensitive customers may be (an assumption)."""

    title: str
    value: str
    more: str = ""
    sensitivity: str = ""


def break_even(found: Mapping[str, Any], words: Words) -> BreakEven:
    """When the change pays, in words that agree with what is expected: a gain, a loss, or nothing at all."""
    exact, hoped, t = found["exact"], found["expected"], words.t
    gains, loss = hoped["gain"]["middle"] > 0, hoped["break_even_loss"]
    if not exact.get("changed", exact["moved"]):
        return BreakEven(t("Break-even"), "–", t("No bill of those who subscribe already changes."))
    if loss is not None and gains:
        return BreakEven(
            t("Pays unless more leave than"), words.share(loss), _churn(hoped, words), _sensitivity(hoped, words)
        )
    if loss is not None:
        more = "; ".join(filter(None, (t("more is expected, so the middle case is a loss"), _churn(hoped, words))))
        return BreakEven(t("Would pay if no more left than"), words.share(loss), more, _sensitivity(hoped, words))
    if exact["delta_minor"] > 0:
        return BreakEven(
            t("Break-even"), "–", t("No share of leavers makes it even: those concerned bring no more than they cost.")
        )
    reason = (
        t("The bills alone bring no more: what is gained comes from those who stay or come because of it.") if gains
        else t("The bills alone bring no more, and those who stay or come because of it do not make up for that.")
    )  # fmt: skip
    return BreakEven(t("Break-even"), "–", reason)


def _churn(hoped: Mapping[str, Any], words: Words) -> str:
    """The same as a monthly churn."""
    if hoped["break_even_churn"] is None:
        return ""
    now, then = words.share(hoped["base_churn"], 2), words.share(hoped["break_even_churn"], 2)
    return words.t("breaks even at a monthly churn of {then} instead of {now}", now=now, then=then)


def _sensitivity(hoped: Mapping[str, Any], words: Words) -> str:
    """How sensitive customers may be until nothing is gained."""
    if hoped["break_even_kappa"] is not None:
        times = words.number(round(hoped["break_even_kappa"] / hoped["kappa"], 1))
        return words.t("breaks even where customers are {times} times as sensitive as assumed", times=times)
    if hoped["gain"]["middle"] > 0:
        return words.t("pays however sensitive customers are")
    return words.t("does not pay even if customers do not mind the rise")


def chance(hoped: Mapping[str, Any], words: Words) -> str:
    """How likely a gain is; nothing of chance where nothing changes."""
    above = hoped["gain"]["above_zero"]
    return (
        words.t("nothing changes")
        if above is None
        else words.t("chance of a gain {chance}", chance=words.share(above, 0))
    )


def spread(found: Mapping[str, Any], words: Words) -> str:
    """How much single bills change; nothing where all of them are new. A rise beyond the limit on it is told with the reason."""
    shares, cap = found["exact"]["quantiles"], found["scenario"].get("cap_ppm")
    if shares["p50"] is None:
        return ""
    middle, most, last = (words.share(shares[name], sign=True) for name in ("p50", "p90", "max"))
    if shares["max"] <= 0:
        return words.t("no bill rises; the middle one changes by {middle}", middle=middle)
    said = words.t("the middle bill changes by {middle}, nine of ten by {most} or less, the largest rise is {last}", middle=middle, most=most, last=last)  # fmt: skip
    if cap is None or round(shares["max"], 3) <= cap / 1e6:
        return said
    return f"{said}; {words.t('it is more than {share} because discounts come off after the limit', share=words.percent(cap))}"


def brought_up(exact: Mapping[str, Any], currency: str, words: Words) -> str:
    """How much of the effect is moving who has older prices to those that are sold today; nothing where nobody has."""
    older = exact.get("older")
    if not older or not older["subscriptions"]:
        return ""
    rest = exact["delta_minor"] - older["delta_minor"]
    brought, changed = (
        formats.money(each, currency, words.language, sign=True) for each in (older["delta_minor"], rest)
    )
    return words.t(
        "{count} subscriptions have older prices than those sold today: {brought} a month comes of moving them to these, {changed} of the change itself",
        count=words.number(older["subscriptions"]), brought=brought, changed=changed,
    )  # fmt: skip


def dates(exact: Mapping[str, Any], words: Words) -> str:
    """When the letters go out and the new prices begin; nothing where nobody who subscribes already gets them."""
    if not exact.get("letters"):
        return ""
    letters, starts = ([words.day(date.fromisoformat(day)) for day in exact[name]] for name in ("letters", "starts"))
    t, (first, last), (begin, end) = words.t, letters, starts
    sent = t("letters go out on {day}", day=first) if first == last else t("letters go out from {first} to {last}", first=first, last=last)  # fmt: skip
    held = t("the new prices begin on {day}", day=begin) if begin == end else t("the new prices begin from {first} to {last}", first=begin, last=end)  # fmt: skip
    return f"{sent}, {held}"


def decisive(hoped: Mapping[str, Any], words: Words) -> list[tuple[str, float, float]]:
    """Each assumption and the gain where it is low and high, the one that decides most first. Low and high are of what its words say:
    "how fast it fades" is low where half has faded late, "how strongly new customers react" where the elasticity is near nought.
    """
    turned = (Assumption.HALF_LIFE, Assumption.ACQUISITION)
    return [
        (words.label(row["assumption"]), *((row["high"], row["low"]) if row["assumption"] in turned else (row["low"], row["high"])))
        for row in hoped["tornado"]
    ]  # fmt: skip


def reached(exact: Mapping[str, Any], words: Words) -> str:
    """How many get the new prices. Whoever is not served today is among those who do not, and so among all."""
    every = exact["moved"] + sum(exact["why_not"].values())
    return words.t(
        "{moved} of {all} subscriptions get them", moved=words.number(exact["moved"]), all=words.number(every)
    )
