"""The Plans page in real Chromium: from a plan to a published price change by two people."""

from __future__ import annotations

import shutil
from datetime import date

import pytest
from playwright.sync_api import Page, expect

from core.actions import plans
from core.store.engine import open_engine
from core.store.tables import Person, PriceVersion, TierRow
from tests.apps import served, settle
from tests.pages.test_plans import KARI, TERMS
from tests.world import NOW, World

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def place(sqlite_template, tmp_path_factory):
    file = tmp_path_factory.mktemp("plans") / "forbli.db"
    shutil.copy(sqlite_template, file)
    url = f"sqlite:///{file}"
    world = World(open_engine(url))
    for name in ("Kari Nordmann", "Ola Bø"):
        world.add(Person, name=name, email=f"{name[:4]}@forbli.no", role="product")
    plan = plans.create_plan(world.engine, KARI, "plan", NOW, code="pro", name="Pro Ærlig", rank=2)["plan_id"]
    saved = plans.save_draft(world.engine, KARI, "draft", NOW, plan_id=plan, terms=TERMS)["price_version_id"]
    plans.publish(world.engine, KARI, "publish", NOW, price_version_id=saved, valid_from=date(2026, 1, 1))
    world.start(world.customer(), saved, date(2026, 1, 1))
    with served(url, now=NOW.isoformat()) as address:
        yield world, address


def act_as(page: Page, name: str) -> None:
    page.get_by_role("combobox", name="Acting as").click()
    page.get_by_role("option", name=name).click()


def test_a_price_change_is_drafted_by_one_person_and_published_by_another(place, page):
    world, address = place
    page.goto(f"{address}/plans")
    page.get_by_role("link", name="Pro Ærlig").click()
    expect(page.get_by_text("1 subscription has it")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="New draft from this").click()
    fee = page.get_by_label("Flat fee", exact=True)
    expect(fee).to_have_value("299", timeout=20_000)
    fee.fill("319,00")
    fee.press("Enter")
    settle(page)
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_text("The draft is saved")).to_be_visible()
    draft = max(row.id for row in world.rows(PriceVersion))
    assert "319.00" in [row.flat_amount for row in world.rows(TierRow)]
    assert f"version={draft}" in page.url

    page.get_by_role("button", name="Publish …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Affects 1 subscription")).to_be_visible()
    expect(dialog.get_by_text("Who can: Ola Bø")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()

    act_as(page, "Ola Bø")
    page.get_by_role("button", name="Publish …").click()
    publish = dialog.get_by_role("button", name="Publish", exact=True)
    expect(publish).to_be_disabled()
    dialog.get_by_label("Type pro to confirm").fill("pro")
    dialog.get_by_label("Type pro to confirm").press("Enter")
    expect(publish).to_be_enabled()
    publish.click()
    expect(page.get_by_text("The prices are published")).to_be_visible()
    stored = next(row for row in world.rows(PriceVersion) if row.id == draft)
    assert (stored.author, stored.published_by, stored.status) == ("Kari Nordmann", "Ola Bø", "published")


def test_a_tier_typed_into_the_table_moves_the_curve_and_names_its_cell(place, page):
    world, address = place
    copy = plans.save_draft(world.engine, KARI, "copy", NOW, plan_id=1, terms=TERMS)["price_version_id"]
    page.goto(f"{address}/plans?plan=pro&version={copy}")
    expect(page.get_by_role("textbox", name="Flat fee")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Samtaler").or_(page.get_by_role("radio", name="Samtaler")).first.click()
    expect(page.get_by_text("101 units cost 80.80 kr, 19.20 kr less than 100.")).to_be_visible(timeout=20_000)
    table = page.get_by_test_id("stDataFrame").first
    box = table.bounding_box()
    assert box is not None
    # The first tier's price: second column of figures in the first row below the head.
    page.mouse.dblclick(box["x"] + box["width"] * 0.42, box["y"] + 52)
    cell = page.locator(".gdg-input").first
    expect(cell).to_be_visible()
    cell.fill("abc")
    cell.press("Enter")
    expect(page.get_by_text("Tier 1: “abc” is not a number").first).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_text("Nothing was saved")).to_be_visible()


def test_names_are_shown_as_they_are_written(place, page):
    world, address = place
    plans.edit_plan(world.engine, KARI, "edit", NOW, plan_id=1, description="*not* [bold](x) :red[no]")
    page.goto(f"{address}/plans?plan=pro")
    expect(page.get_by_text("*not* [bold](x) :red[no]")).to_be_visible(timeout=20_000)
