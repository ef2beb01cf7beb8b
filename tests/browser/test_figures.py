"""Journeys with figures in a real browser: a bar opens its customers; from "what if" to a memo."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from tests.apps import served, settle, url_of
from tests.pages.test_figures import lived
from tests.pages.test_simulate import company

pytestmark = pytest.mark.browser
NOW = "2026-06-15T10:00:00+00:00"


def test_a_bar_of_the_movements_opens_the_customers_behind_it(sqlite_engine: Engine, page: Page) -> None:
    lived(sqlite_engine, 60)
    with served(url_of(sqlite_engine), now=NOW) as address:
        page.goto(f"{address}/?range=24")
        expect(page.get_by_text("Every row adds up")).to_be_visible()
        bars = page.locator("[class*='st-key-movements'] path[aria-roledescription='bar']")
        expect(bars.first).to_be_visible()
        bars.first.click()
        behind = page.get_by_text(re.compile(r"\d+ customers, .* a month in all"))
        expect(behind).to_be_visible()
        expect(page).to_have_url(re.compile(r"movement=[a-z_]+-\d{4}-\d{2}"))
        told = behind.text_content()
        page.goto(page.url)  # the link alone opens the same list
        expect(behind).to_have_text(str(told))
        settle(page)
        page.get_by_role("button", name="Close").click()
        expect(behind).to_have_count(0)
        expect(page).not_to_have_url(re.compile("movement="))


def test_a_cell_of_a_cohort_opens_its_customers_and_stands_in_the_link(sqlite_engine: Engine, page: Page) -> None:
    lived(sqlite_engine, 60)
    with served(url_of(sqlite_engine), now=NOW) as address:
        page.goto(f"{address}/retention")
        cell = page.locator("[class*='st-key-cohorts'] path[aria-roledescription='rect mark']").nth(5)
        expect(cell).to_be_visible()
        cell.click(force=True)  # its percentage stands above it
        expect(page).to_have_url(re.compile(r"cohort=\d{4}-\d{2}"))
        page.goto(page.url)
        expect(page.get_by_text(re.compile(r"customers began, \d+ have left since"))).to_be_visible()


def test_another_language_keeps_the_plan_and_its_prices(sqlite_engine: Engine, page: Page) -> None:
    company(sqlite_engine)
    with served(url_of(sqlite_engine), now=NOW) as address:
        page.goto(f"{address}/simulate")
        plans = page.get_by_test_id("stMain").get_by_role("combobox").first
        plans.click()
        page.get_by_role("option").nth(1).click()
        settle(page)
        fee = page.get_by_label(re.compile("^fee · (today|i dag)"))
        fee.fill("77")
        fee.press("Enter")
        settle(page)
        subscriptions = plans.input_value().split(" · ")[3].split()[0]
        for spoken, month in (("Norsk", "måned"), ("English", "month")):
            page.get_by_text(spoken, exact=True).click()
            settle(page)
            expect(plans).to_have_value(re.compile(f"{month} · {subscriptions} "))
            expect(fee).to_have_value(re.compile("^77"))


def test_from_what_if_to_a_memo(sqlite_engine: Engine, page: Page, tmp_path: Path) -> None:
    company(sqlite_engine)
    with served(url_of(sqlite_engine), now=NOW) as address:
        page.goto(f"{address}/simulate")
        fee = page.get_by_label(re.compile("^fee · today"))
        fee.fill("349")
        fee.press("Enter")
        expect(page.get_by_text("+1,000.00", exact=False).first).to_be_visible()
        page.get_by_label("Name of the scenario").fill("Pro 349")
        page.get_by_label("Name of the scenario").press("Enter")
        settle(page)
        with page.expect_download() as made:
            page.get_by_role("button", name="Memo as PDF").click()
        file = tmp_path / "memo.pdf"
        made.value.save_as(file)
        assert file.read_bytes().startswith(b"%PDF")
        page.get_by_role("button", name="Save scenario").click()
        expect(page).to_have_url(re.compile(r"scenario=1"))
        expect(page.get_by_role("button", name="Ask for approval")).to_be_visible()
