"""One change for many in real Chromium: a coupon for everybody, ten first, then the rest, and the way back."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime

import polars as pl
import pytest
from playwright.sync_api import expect

from core.actions.customers import create_customers
from core.store.engine import open_engine
from core.store.tables import Person, SubscriptionChange
from tests.apps import served
from tests.story import Story
from tests.world import SINCE, fixed

pytestmark = pytest.mark.browser
NOW = datetime(2026, 6, 16, 10, tzinfo=UTC)
MANY = 12


@pytest.fixture(scope="module")
def place(sqlite_template, tmp_path_factory):
    file = tmp_path_factory.mktemp("many") / "forbli.db"
    shutil.copy(sqlite_template, file)
    url = f"sqlite:///{file}"
    story = Story(open_engine(url))
    people = pl.DataFrame({"external_id": [f"K{n}" for n in range(MANY)], "name": [f"Kunde {n}" for n in range(MANY)]})
    owners = story.send(create_customers, requests=people.with_columns(kind=pl.lit("consumer")))["customer_ids"]
    basic = story.plan(fixed("300"), plan_id=story.ranked(1), valid_from=SINCE)
    for owner in owners:
        story.begin(basic, date(2026, 6, 1), customer_id=owner)
    story.bill_on(date(2026, 6, 1))
    story.coupon(kind="percent", rate_ppm=500_000, duration="periods", periods=2)
    story.add(Person, name="Sara Støtte", email="sara@forbli.no", role="admin")
    with served(url, now=NOW.isoformat()) as address:
        yield story, address


def kinds(story: Story) -> list[str]:
    return [row.kind for row in story.rows(SubscriptionChange) if row.kind != "start"]


def test_a_coupon_for_everybody_and_its_reversal(place, page):
    story, address = place
    page.goto(f"{address}/customers")
    expect(page.get_by_role("button", name="Change many")).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)  # a click during a run can be lost
    page.get_by_role("button", name="Change many").click()
    page.get_by_role("button", name="Show the effect").click()
    expect(page.get_by_text("will be changed: coupon Coupon")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Change the first 10").click()
    expect(page.get_by_text("10 are changed")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Change the other 2").click()
    expect(page.get_by_text("12 are changed")).to_be_visible(timeout=30_000)
    assert kinds(story) == ["coupon"] * MANY

    page.get_by_role("radio", name="Done before").click()
    page.get_by_role("button", name="Take back …").click()
    page.get_by_role("dialog").get_by_role("button", name="Take back 12").click()
    expect(page.get_by_text("12 are taken back")).to_be_visible(timeout=30_000)
    assert kinds(story) == ["coupon"] * MANY + ["undo"] * MANY
