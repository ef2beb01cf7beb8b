"""The frame around the pages: it starts on loopback only, freezes what it loaded, and stands before every page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from tests.apps import ROOT, open_page, served, texts, url_of
from tests.world import World, fixed


def test_libraries_are_loaded_and_frozen_at_start() -> None:
    script = "from core.ui.start import warm_up, is_frozen; print(is_frozen()); warm_up(); print(is_frozen())"

    said = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert said.stdout.split() == ["False", "True"]


def test_a_running_server_has_frozen_what_it_loaded(sqlite_engine: Engine) -> None:
    with (
        served(url_of(sqlite_engine)) as address,
        urllib.request.urlopen(f"{address}/healthz") as answer,
    ):
        said = json.load(answer)

    assert said == {"database": "ok", "frozen": True}


def test_the_app_refuses_to_serve_beyond_this_machine(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.address", "0.0.0.0", "--server.port", "0"]
    settings = {**os.environ, "FORBLI_DATABASE_URL": f"sqlite:///{tmp_path}/x.db"}

    ended = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode != 0
    assert "this machine only" in ended.stdout + ended.stderr


def test_an_empty_database_leads_to_settings(sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(monkeypatch, sqlite_engine, "overview")

    assert not app.exception
    assert "No company yet" in texts(app)


def test_the_overview_counts_who_subscribes_and_what_waits(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(engine)
    world.start(world.customer(), world.plan(fixed("100")), date(2026, 1, 1))

    app = open_page(monkeypatch, engine, "overview")

    assert not app.exception
    assert {metric.label: metric.value for metric in app.metric}["Paying customers"] == "1"
    assert {metric.label: metric.value for metric in app.metric}["MRR"] == "100\u00a0kr"


def test_the_overview_speaks_norwegian(sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    World(sqlite_engine)

    app = open_page(monkeypatch, sqlite_engine, "overview", language="nb")

    assert app.title[0].value == "Oversikt"
    assert "Ingen tall ennå" in texts(app)


def test_a_link_that_names_the_first_page_finds_it(sqlite_engine: Engine) -> None:
    with served(url_of(sqlite_engine)) as address, urllib.request.urlopen(f"{address}/overview?range=24") as answer:
        assert answer.url == f"{address}/?range=24"


def _failing() -> None:
    from core.ui.shell import failed

    try:
        raise ValueError("secret detail")
    except ValueError as error:
        failed(error)


def test_a_page_that_fails_shows_a_reference_and_keeps_the_detail_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    app = AppTest.from_function(_failing).run()

    said, logged = app.error[0].value, caplog.messages[-1]
    assert "secret detail" not in said
    assert "secret detail" in logged
    assert said.split("**")[1] in logged
