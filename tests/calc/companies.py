"""Small random companies for hypothesis: a few plans, subscriptions that change, usage; lived in any order of recording."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.calc.strategies import charges
from tests.company import Company, charge, tier

FIRST = date(2023, 12, 25)
SPAN = 150  # days in which things happen
DAYS = st.integers(0, SPAN).map(lambda n: FIRST + timedelta(days=n))
STARTS = st.sampled_from(
    [date(2023, 12, 31), date(2024, 1, 1), date(2024, 1, 30), date(2024, 1, 31), date(2024, 1, 15)]
)
AMOUNTS = st.sampled_from(["310", "99.99", "0", "1000.01", "7"])
CREDITS = st.sampled_from(["none", "credit", None])
INTERVALS = st.sampled_from([(1, 0), (1, 0), (1, 0), (3, 0), (0, 7)])


@st.composite
def companies(draw: Any) -> Company:
    """Plans and started subscriptions, without any change yet."""
    company = Company(vat={"standard": 250_000, "food": 150_000})
    for _ in range(draw(st.integers(1, 3))):
        months, days = draw(INTERVALS)
        company.version(
            *draw(_price_list()), months=months, days=days, calendar=draw(st.booleans()),
            minimum_minor=draw(st.sampled_from([0, 0, 0, 50_000])), tax_inclusive=draw(st.booleans()),
        )  # fmt: skip
    for _ in range(draw(st.integers(1, 3))):
        on = draw(STARTS)
        anchor = draw(st.sampled_from([None, None, date(2023, 12, 31), date(2024, 1, 5)]))
        version = draw(st.integers(1, len(company.versions)))
        company.start(version, on, anchor=anchor, micro=draw(_quantities()), customer_id=draw(st.integers(1, 2)))
        if draw(st.integers(0, 5)) == 0:
            until = on + timedelta(days=14)
            company.change(len(company.subscriptions), "trial", on, until_on=until, anchor_on=until)
    return company


@st.composite
def _price_list(draw: Any) -> list[dict[str, Any]]:
    """A fee and some of: seats, an add-on, usage, a one-off fee."""
    timing = st.sampled_from(["in_advance", "in_advance", "in_arrears"])
    made = [charge("fixed", "flat", tier(flat=draw(AMOUNTS)), code="fee", timing=draw(timing))]
    if draw(st.booleans()):
        made.append(draw(charges("seat", ["per_unit", "graduated", "volume"], code="seat", timing=draw(timing))))
    if draw(st.booleans()):
        made.append(
            charge(
                "addon", "per_unit", tier(unit=draw(AMOUNTS)), code="extra", timing=draw(timing), vat_category="food"
            )
        )
    if draw(st.booleans()):
        made.append(draw(charges("usage", code="use", timing="in_arrears")))
    if draw(st.integers(0, 3)) == 0:
        made.append(charge("one_off", "flat", tier(flat="50"), code="setup"))
    return made


def _quantities() -> st.SearchStrategy[int]:
    return st.sampled_from([0, 10**6, 2 * 10**6, 5 * 10**6, 1_500_000])


def happen(draw: Any, company: Company) -> None:
    """One more fact about one subscription, dated in the past or in the future."""
    key = draw(st.integers(1, len(company.subscriptions)))
    started = company.subscriptions[key - 1]["started_on"]
    on = max(draw(DAYS), started)
    kind = draw(st.sampled_from(["price", "quantity", "addon", "use", "use", "pause", "resume", "cancel", "undo"]))
    if kind == "price":
        version = draw(st.integers(1, len(company.versions)))
        # On the calendar there is nothing to anchor anew.
        anchor = None if company.versions[version - 1]["calendar"] else draw(st.sampled_from([None, None, on]))
        company.change(key, kind, on, price_version_id=version, anchor_on=anchor)
    elif kind == "quantity":
        company.change(key, kind, on, quantity_micro=draw(_quantities()))
    elif kind == "addon":
        company.change(key, kind, on, item="extra", quantity_micro=draw(_quantities()))
    elif kind == "use":
        company.use(key, on, draw(st.integers(0, 40 * 10**6)), draw(st.integers(0, 400 * 10**6)))
    elif kind == "pause":
        until = draw(st.one_of(st.none(), st.integers(1, 60).map(lambda n: on + timedelta(days=n))))
        company.change(key, kind, on, until_on=until, credit=draw(CREDITS))
    elif kind == "undo":
        _undo(draw, company, key, on)
    else:
        company.change(key, kind, on, credit=draw(CREDITS))


def limited_rise(draw: Any, company: Company) -> None:
    """Other prices for one subscription whose rise and fall are limited against any prices there are."""
    key = draw(st.integers(1, len(company.subscriptions)))
    version, earlier = (draw(st.integers(1, len(company.versions))) for _ in range(2))
    cap = draw(st.sampled_from([0, 0, 100_000, 333_333, None]))
    floor = draw(st.sampled_from([None, None, 0, 50_000])) if cap is not None else draw(st.sampled_from([0, 200_000]))
    company.change(
        key, "price", max(draw(DAYS), company.subscriptions[key - 1]["started_on"]), price_version_id=version,
        earlier_version_id=earlier, cap_ppm=cap, floor_ppm=floor,
    )  # fmt: skip


def give_coupon(draw: Any, company: Company) -> None:
    """A coupon of any kind for one subscription."""
    kind = draw(st.sampled_from(["percent", "amount"]))
    value = draw(st.sampled_from([100_000, 500_000, 1_000_000]) if kind == "percent" else st.integers(1, 40_000))
    coupon = company.coupon(
        kind, value, draw(st.sampled_from(["once", "forever", "periods"])), draw(st.sampled_from(["invoice", "plan", "charge"])),
        charge_code="fee", periods=2, includes_true_up=draw(st.booleans()),
    )  # fmt: skip
    key = draw(st.integers(1, len(company.subscriptions)))
    on = company.subscriptions[key - 1]["started_on"] + timedelta(days=draw(st.integers(0, 40)))
    company.change(key, "coupon", on, coupon_id=coupon)


def _undo(draw: Any, company: Company, key: int, on: date) -> None:
    """Undo a change that is still in force."""
    undone = {fact.get("undoes_id") for fact in company.changes}
    open_ones = [
        fact["change_id"] for fact in company.changes
        if fact["subscription_id"] == key and fact["kind"] not in ("start", "trial", "undo") and fact["change_id"] not in undone
    ]  # fmt: skip
    if open_ones:
        company.change(key, "undo", on, undoes_id=draw(st.sampled_from(open_ones)))
