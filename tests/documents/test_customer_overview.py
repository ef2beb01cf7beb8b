"""The overview that is sent to a customer: read back from the PDF, in the customer's language, nothing interpreted."""

from __future__ import annotations

import io
from datetime import date

import pytest
from pypdf import PdfReader
from sqlalchemy import Engine

from core.actions import subscriptions
from core.actions.customers import create_customers, edit_customers
from core.documents.customer_overview import customer_overview
from core.documents.paper import writable
from core.domain.errors import Conflict, NotFound
from core.store.engine import reading
from tests.story import MICRO, Story, frame
from tests.world import charge, fixed, tier

JUNE = date(2026, 6, 1)


@pytest.fixture
def story(engine: Engine) -> Story:
    """Twelve seats at 299 kr (up to ten) and 249 kr, two add-ons of 50 kr, half price for two periods."""
    told = Story(engine)
    seats = charge("seat", "seat", "graduated", tier(up_to="10", unit="299"), tier(unit="249"), name="Brukere")
    extra = charge("extra", "addon", "per_unit", tier(unit="50"), name="Ekstra lagring")
    plan = told.plan(fixed("100"), seats, extra)
    told.on(JUNE)
    asked = frame(external_id="K1", name="Ærlig & *Åpen* #let AS", kind="business", language="nb", emails="post@as.no")
    customer = told.send(create_customers, requests=asked)["customer_ids"][0]
    told.begin(plan, JUNE, quantity=12, customer_id=customer)
    told.do(subscriptions.change_addon, 1, item="extra", quantity_micro=2 * MICRO, effective_on=JUNE)
    coupon = told.coupon(kind="percent", rate_ppm=500_000, duration="periods", periods=2)
    told.do(subscriptions.grant_coupon, 1, coupon_id=coupon, effective_on=JUNE)
    told.bill_on(JUNE)
    return told


def text(story: Story, day: date = date(2026, 6, 16)) -> str:
    with reading(story.engine) as session:
        made = customer_overview(session, "K1", day)
    pages = PdfReader(io.BytesIO(made.content)).pages
    return "\n".join(page.extract_text() for page in pages).replace("\u00a0", " ")


def test_it_says_what_the_subscription_contains_what_it_costs_and_what_changes(story: Story) -> None:
    said = text(story)
    assert "Ditt abonnement" in said
    # 100 + 10 × 299 + 2 × 249 + 2 × 50 = 3 688 kr a month; half of it with VAT on 1 July: 2 305 kr.
    assert "3 688,00 kr" in said
    assert "2 305,00 kr" in said
    assert "Brukere" in said
    assert "Ekstra lagring" in said
    assert "Rabatt 50 %" in said
    assert "1. aug. 2026" in said
    assert "er over" in said


def test_names_are_never_markup(story: Story) -> None:
    assert "Ærlig & *Åpen* #let AS" in text(story)


def test_the_customers_language_decides(story: Story) -> None:
    story.on(date(2026, 6, 2)).send(
        edit_customers, requests=frame(customer_id=1, effective_from=date(2026, 6, 2), language="en")
    )
    assert "Your subscription" in text(story)


def test_the_same_day_gives_the_same_bytes(story: Story) -> None:
    with reading(story.engine) as session:
        first, second = (customer_overview(session, "K1", date(2026, 6, 16)).content for _ in range(2))
    assert first == second


def test_a_planned_end_is_told(story: Story) -> None:
    story.on(date(2026, 6, 16)).do(subscriptions.cancel, 1)
    assert "Siste dag av abonnementet" in text(story)


def test_what_has_ended_has_no_overview(story: Story) -> None:
    story.on(date(2026, 6, 16)).do(subscriptions.cancel, 1)
    with reading(story.engine) as session, pytest.raises(Conflict, match="no subscription that runs"):
        customer_overview(session, "K1", date(2026, 8, 1))
    with reading(story.engine) as session, pytest.raises(NotFound):
        customer_overview(session, "nobody", JUNE)


def test_letters_that_the_font_lacks_are_marked_not_lost() -> None:
    assert writable({"name": "Ødegård 漢 Łódź Αθήνα"}) == {"name": "Ødegård ? Łódź Αθήνα"}


def test_it_says_how_far_a_rise_is_limited(story: Story) -> None:
    seats = charge("seat", "seat", "per_unit", tier(unit="400"), name="Brukere")
    extra = charge("extra", "addon", "per_unit", tier(unit="50"), name="Ekstra lagring")
    dearer = story.plan(fixed("100"), seats, extra)
    story.change(1, "price", date(2026, 6, 5), price_version_id=dearer, earlier_version_id=1, cap_ppm=50_000)
    said = " ".join(text(story).split())

    # 3 688 before, 5 000 now, at most 3 872,40.
    assert "Grense for prisøkningen" in said
    assert "−1 127,60 kr" in said
    assert "høyst 5 % mer enn etter de tidligere prisene" in said
    assert "3 872,40 kr" in said
