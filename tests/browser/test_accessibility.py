"""axe looks at every page with content on it, in both themes; only what Streamlit alone could mend is let pass."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from core.store.engine import open_engine
from core.store.tables import Customer, Person
from tests.apps import served
from tests.pages.test_figures import lived
from tests.world import charge, fixed, tier

# Three quarters of a minute in Chromium: for the gate, where a browser is required, rather than for every run at a desk.
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        os.environ.get("FORBLI_REQUIRE_BROWSER") != "1",
        reason="axe takes a while: FORBLI_REQUIRE_BROWSER=1 lets it run",
    ),
]
NOW = "2026-06-15T10:00:00+00:00"
Theme = Literal["light", "dark"]

# Every page: where it is, and what is only there once it has something to show.
PAGES = {
    "overview": ("", "Every row adds up"),
    "retention": ("retention", "Whom we may lose"),
    "lifetime": ("lifetime", "Early contact with customer service"),
    "simulate": ("simulate", "A month, nobody reacting"),
    "customers": ("customers", "61 customers"),
    "one customer": ("customers?customer={customer}", "Next invoice"),
    "plans": ("plans", "metered"),
    "one plan": ("plans?plan=metered", "Price curve"),
    "invoices": ("invoices", "documents"),
    "one invoice": ("invoices?number={invoice}", "What is different from last time?"),
    "company": ("settings?section=company", "In force today"),
    "books": ("settings?section=books", "Number series"),
    "people": ("settings?section=people", "Change a role"),
}

# What no page can mend without styles or scripts of its own, by theme: a rule, and the part of Streamlit that breaks it.
# The way behind a key figure marks its last point by an empty group that takes no text; the figure itself is written above.
SPARKLINE = {"svg-img-alt": "[data-testid='stMetricChart']"}
# White is fixed as the text on the theme's colour, and that colour is also the text of a chosen segment: on a dark ground none
# is 4.5 : 1 in both places. `.streamlit/config.toml` decides for the segments, of which there are more.
PRIMARY = {"color-contrast": "[data-testid='stBaseButton-primary'], [data-testid='stBaseButton-primaryFormSubmit']"}
UPSTREAM = {"light": SPARKLINE, "dark": SPARKLINE | PRIMARY}

# The theme is there, the script is through, nothing is faded or still to come, no colour is on its way: a half-drawn page has
# faults of its own.
AT_REST = """theme => getComputedStyle(document.querySelector('.stApp')).colorScheme === theme
    && document.querySelector('[data-test-script-state="notRunning"]')
    && !document.querySelector('[data-stale="true"], [data-testid="stSkeleton"]')
    && document.getAnimations().every(each => each.playState !== 'running')"""


@pytest.fixture(scope="module")
def addresses(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where the pages are, of a company that has lived; a customer of it pays for what it uses."""
    file = tmp_path_factory.mktemp("accessibility") / "forbli.db"
    shutil.copy(sqlite_template, file)
    url = f"sqlite:///{file}"
    world = lived(open_engine(url), 60)
    world.add(Person, name="Ada Admin", email="ada@example.com", role="admin")
    metered = charge("kwh", "usage", "graduated", tier("10", unit="2"), tier(unit="1"), meter="kwh")
    plan = world.plan(fixed("100"), metered, code="metered", valid_from=date(2024, 1, 1))
    customer = world.customer()
    subscription = world.start(customer, plan, date(2026, 4, 1))
    for month in (4, 5):
        world.use(subscription, "kwh", date(2026, month, 9), 14 * month)
        world.bill(date(2026, month + 1, 1))
    names = {
        "customer": next(row.external_id for row in world.rows(Customer) if row.id == customer),
        "invoice": [row.number for row in world.documents() if row.customer_id == customer][-1],
    }
    with served(url, now=NOW) as found:
        yield {page: f"{found}/{path.format(**names)}" for page, (path, _) in PAGES.items()}


@pytest.fixture(scope="module")
def window(chromium: Browser) -> Iterator[Page]:
    """One window for all pages: a theme is changed as the system changes it, without loading anew."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1200}, locale="en-GB")
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    yield opened
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_in_either_theme(addresses: dict[str, str], window: Page, name: str) -> None:
    window.goto(addresses[name])
    expect(window.get_by_text(PAGES[name][1]).first).to_be_visible()
    if name == "simulate":
        _ask_what_if(window)
    found = {"light": _violations(window, "light"), "dark": _violations(window, "dark")}
    assert found == {"light": [], "dark": []}


def _ask_what_if(window: Page) -> None:
    """Another price: most of the page is its answer."""
    fee = window.get_by_label(re.compile("^fee · today"))
    fee.fill("149")
    fee.press("Enter")
    expect(window.get_by_role("heading", name="Who is hit")).to_be_visible()


def _violations(window: Page, theme: Theme) -> list[str]:
    """What axe objects to in a theme: the rule, the element, and what it says about it."""
    window.emulate_media(color_scheme=theme)
    window.wait_for_function(AT_REST, arg=theme)
    found = Axe().run(window).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
        if not _is_upstream(window, node["target"][0], UPSTREAM[theme].get(rule["id"]))
    ]


def _is_upstream(window: Page, element: str, part: str | None) -> bool:
    return part is not None and window.locator(element).first.evaluate("(each, part) => !!each.closest(part)", part)
