"""The Settings page in real Chromium: the effect before a save, a second person, text that stays text, a narrow screen."""

from __future__ import annotations

import shutil
from datetime import date

import pytest
from playwright.sync_api import expect

from core.store.engine import open_engine
from core.store.tables import BooksClosed, CompanyProfile, Person
from tests.apps import served
from tests.world import World, fixed

pytestmark = pytest.mark.browser
WAIT = 20_000


@pytest.fixture(scope="module")
def world(sqlite_template, tmp_path_factory):
    file = tmp_path_factory.mktemp("settings") / "forbli.db"
    shutil.copy(sqlite_template, file)
    found = World(open_engine(f"sqlite:///{file}"))
    for name, role in (("Kari **Ås**", "admin"), ("Ola Bø", "finance")):
        found.add(Person, name=name, email=f"{role}@forbli.no", role=role)
    found.start(found.customer(), found.plan(fixed("100")), date(2026, 1, 1))
    found.bill(date(2026, 1, 1))
    return found


@pytest.fixture(scope="module")
def address(world):
    with served(world.engine.url.render_as_string(hide_password=False)) as found:
        yield found


def test_the_effect_is_said_before_a_change_is_saved_once(address, page, world):
    page.goto(f"{address}/settings")
    page.get_by_label("City").fill("Bergen")
    page.get_by_label("City").press("Enter")
    expect(page.get_by_text("From 20 Jan 2026 documents will say")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Save from 20 Jan 2026").dblclick()
    expect(page.get_by_text("Since 20 Jan 2026")).to_be_visible(timeout=WAIT)
    assert [row.city for row in world.rows(CompanyProfile)] == ["", "Bergen"]


def test_books_are_closed_with_a_reason_and_reopened_by_two(address, page, world):
    page.goto(f"{address}/settings?section=books")
    reason = page.get_by_label("Reason")
    reason.first.fill("year end")
    reason.first.press("Enter")
    page.get_by_role("button", name="Close the books through 31 Dec 2025").click()
    expect(page.get_by_text("Documents can again be dated from 1 Dec 2025 on.")).to_be_visible(timeout=WAIT)
    reason.last.fill("an invoice was forgotten")
    reason.last.press("Enter")
    page.get_by_role("button", name="Ask to reopen the books").click()
    expect(page.get_by_text("asks to keep the books closed through")).to_be_visible(timeout=WAIT)
    expect(page.get_by_role("button", name="Reopen the books", exact=True)).to_be_disabled()
    page.get_by_role("combobox", name="Acting as").click()
    page.get_by_role("option", name="Ola Bø").click()
    page.get_by_role("button", name="Reopen the books", exact=True).click()
    expect(page.get_by_role("button", name="Ask to reopen the books")).to_be_visible(timeout=WAIT)
    assert [row.through for row in world.rows(BooksClosed)] == [date(2025, 12, 31), date(2025, 11, 30)]


def test_a_name_with_marks_stays_as_it_was_written(address, page):
    page.goto(f"{address}/settings?section=people")
    page.get_by_label("Person", exact=True).click(timeout=WAIT)
    page.get_by_role("option", name="Kari **Ås**").click()
    expect(page.get_by_text("Active", exact=True)).to_be_visible(timeout=WAIT)
    page.get_by_role("combobox", name="Role").first.click()
    page.get_by_role("option", name="viewer").click()
    expect(page.get_by_text("From now on Kari **Ås** may: look at everything")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Kari **Ås** is the last active administrator")).to_be_visible(timeout=WAIT)


def test_the_books_are_checked_with_progress_and_a_verdict(address, page):
    page.goto(f"{address}/settings?section=data&language=nb")
    page.get_by_role("button", name="Kontroller regnskapet").click(timeout=WAIT)
    expect(page.get_by_text("Regnskapet stemmer: 9 regler, ingen funn.")).to_be_visible(timeout=WAIT)


@pytest.mark.parametrize("section", ["company", "numbers", "vat", "currencies", "books", "people", "data"])
def test_a_narrow_screen_scrolls_down_only(address, page, section):
    page.set_viewport_size({"width": 400, "height": 900})
    page.goto(f"{address}/settings?section={section}")
    expect(page.get_by_role("heading", name="Settings")).to_be_visible(timeout=WAIT)
    page.wait_for_timeout(1_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
