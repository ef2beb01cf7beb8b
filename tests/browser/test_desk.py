"""The support desk in real Chromium: find a customer by keyboard, upgrade, and see it on the next invoice."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime

import pytest
from playwright.sync_api import expect

from core.actions.customers import create_customers
from core.store.engine import open_engine
from core.store.tables import Person
from tests.apps import served
from tests.story import Story, frame
from tests.world import SINCE, fixed

pytestmark = pytest.mark.browser
NOW = datetime(2026, 6, 16, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def place(sqlite_template, tmp_path_factory):
    file = tmp_path_factory.mktemp("desk") / "forbli.db"
    shutil.copy(sqlite_template, file)
    url = f"sqlite:///{file}"
    story = Story(open_engine(url))
    basic = story.plan(fixed("300"), plan_id=story.ranked(1), valid_from=SINCE)
    story.plan(fixed("600"), plan_id=story.ranked(2), valid_from=SINCE)
    asked = frame(external_id="K1", name="Ås Ødegård", kind="consumer")
    customer = story.send(create_customers, requests=asked)["customer_ids"][0]
    story.begin(basic, date(2026, 6, 1), customer_id=customer)
    story.bill_on(date(2026, 6, 1))
    story.add(Person, name="Sara Støtte", email="sara@forbli.no", role="admin")
    with served(url, now=NOW.isoformat()) as address:
        yield story, address


def test_find_upgrade_and_see_it_on_the_next_invoice(place, page):
    story, address = place
    page.goto(f"{address}/plans")
    expect(page.get_by_role("heading", name="Plans")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("button", name="Find")).to_be_visible()  # with it comes its shortcut
    page.keyboard.press("Control+k")
    field = page.get_by_role("dialog").get_by_role("searchbox")
    expect(field).to_be_focused()  # letters that are typed at once are no commands of the page
    page.keyboard.type("ødeg", delay=40)
    expect(page.get_by_role("dialog").get_by_role("button", name="Ås Ødegård")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Ås Ødegård")).to_be_visible(timeout=20_000)

    page.get_by_role("button", name="Change plan").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("the customer is billed 187.50 kr more: 150.00 kr + 37.50 kr VAT")).to_be_visible()
    expect(dialog.get_by_text("the customer is billed 375.00 kr more: 300.00 kr + 75.00 kr VAT")).to_be_visible()
    dialog.get_by_role("button", name="Change plan").click()
    expect(page.get_by_text("The plan is changed")).to_be_visible()
    expect(page.get_by_text("next invoice 16 Jun 2026: about 187.50 kr incl. VAT")).to_be_visible()

    page.goto(f"{address}/invoices?view=run")
    story.on(date(2026, 6, 16)).bill(date(2026, 6, 16))
    assert [row.total_minor for row in story.documents()] == [37_500, 18_750]
    page.goto(f"{address}/invoices?number=F2026-000002")
    expect(page.get_by_text("187.50 kr").first).to_be_visible(timeout=20_000)
