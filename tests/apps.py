"""The app under test: pages without a browser (AppTest), and a real server with real Chromium.

`open_page(engine, "plans", person=…, language="nb", **query)` runs a page inside the shell. `served(engine)` starts
`streamlit run app.py` on a free port; `browser()` is one Chromium for all tests of a worker. Where there is no Chromium
those tests are skipped with the reason, and fail with `FORBLI_REQUIRE_BROWSER=1`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

if TYPE_CHECKING:  # playwright is imported where a browser is wanted
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[1]
SHELL = ROOT / "core" / "ui" / "shell.py"
NOW = "2026-01-20T10:00:00+00:00"
WAIT_SECONDS = 60
PATIENCE_MS = 20_000  # two cores run several browsers and servers at once


def url_of(engine: Engine) -> str:
    """The engine's address as the environment takes it."""
    return engine.url.render_as_string(hide_password=False)


def open_page(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, page: str, *, person: int | None = None, language: str = "en",
    now: str = NOW, **query: str,
) -> AppTest:  # fmt: skip
    """The shell on a page, run once."""
    import streamlit as st

    st.cache_resource.clear()
    monkeypatch.setenv("FORBLI_DATABASE_URL", url_of(engine))
    monkeypatch.setenv("FORBLI_NOW", now)
    app = AppTest.from_file(str(SHELL), default_timeout=60)
    app.session_state["language"] = language
    if person is not None:
        app.session_state["person"] = person
    app.session_state["own_company"] = True  # an empty database shows its pages, not the choice of a demo company
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(str(ROOT / "pages" / f"{page}.py")).run()
    return app


def texts(app: AppTest) -> str:
    """Everything written on the page, for looking whether a sentence is there."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "error", "warning", "info", "success", "text")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def chromium() -> str:
    """The browser's path; skips, or fails where it is required."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found:
        return found
    reason = "no Chromium here: install the package chromium, or name it in CHROMIUM"
    if os.environ.get("FORBLI_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def served(url: str, *, now: str = NOW, **environment: str) -> Iterator[str]:
    """A real server on a database; answers its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    settings = {**os.environ, "FORBLI_DATABASE_URL": url, "FORBLI_NOW": now, **environment}
    process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/_stcore/health", process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")


@contextmanager
def browser() -> Iterator[object]:
    """A headless Chromium (playwright's Browser)."""
    from playwright.sync_api import expect, sync_playwright

    path = chromium()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


def settle(page: Page) -> None:
    """Wait until the page has stood still for half a second: a click during a run can be lost."""
    page.wait_for_function(
        """() => {
          const still = document.querySelector('[data-test-script-state="notRunning"]')
          if (!still) delete window.stillSince
          else window.stillSince ??= performance.now()
          return still && performance.now() - window.stillSince > 500
        }"""
    )
