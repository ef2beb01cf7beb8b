"""The Customers page in real Chromium: from a few letters to a customer and its invoice."""

from __future__ import annotations

import re
import shutil
from datetime import date

import pytest
from playwright.sync_api import expect

from core.store.engine import open_engine
from tests.apps import served
from tests.world import NOW, World, fixed

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(sqlite_template, tmp_path_factory):
    file = tmp_path_factory.mktemp("customers") / "forbli.db"
    shutil.copy(sqlite_template, file)
    url = f"sqlite:///{file}"
    world = World(open_engine(url))
    world.start(world.customer(), world.plan(fixed("100")), date(2026, 1, 1))
    world.bill(date(2026, 1, 1))
    with served(url, now=NOW.isoformat()) as found:
        yield found


def test_typing_narrows_the_list_and_the_link_keeps_it(address, page):
    page.goto(f"{address}/customers")
    expect(page.get_by_text("1 customer")).to_be_visible(timeout=20_000)
    page.get_by_placeholder("Name, e-mail").press_sequentially("F2026-000001")
    expect(page.get_by_text("1 customer")).to_be_visible()
    expect(page).to_have_url(re.compile("find=F2026-000001"))
    page.get_by_placeholder("Name, e-mail").fill("nobody at all")
    expect(page.get_by_text("No customer fits")).to_be_visible()
    page.get_by_role("button", name="Show all customers").click()
    expect(page.get_by_text("1 customer")).to_be_visible()


def test_what_is_chosen_stays_and_is_told_in_the_language_chosen_after_it(address, page):
    page.goto(f"{address}/customers?status=active&sort=newest")
    choices = page.get_by_test_id("stMain").get_by_role("combobox")
    words = {"English": ("active", "Newest first"), "Norsk": ("aktiv", "Nyeste først")}
    for language in ("English", "Norsk", "English"):
        page.get_by_text(language, exact=True).click()
        expect(page.get_by_role("combobox", name="Status")).to_have_value(words[language][0], timeout=20_000)
        expect(choices.last).to_have_value(words[language][1])
        expect(page).to_have_url(re.compile("status=active.*sort=newest"))


def test_a_link_opens_one_customer_with_what_comes_next(address, page):
    page.goto(f"{address}/customers?customer=K1")
    expect(page.get_by_role("heading", name="Ås Ødegård")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("next invoice 1 Feb 2026: about 125.00 kr incl. VAT")).to_be_visible()
    page.get_by_role("button", name="All customers").click()
    expect(page.get_by_text("1 customer")).to_be_visible()
