"""The decision memo: read back from the PDF, the same bytes for the same numbers, and who decided."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import Engine

from core.actions.scenarios import approve, request_approval, save_scenario
from core.documents.memo import memo
from core.domain.scenarios import to_json
from core.reports import scenarios
from core.store.engine import reading
from tests.reports.test_simulation import APPROVER, ASKER, NOW, SCENARIO, TODAY, company, effect

SENTENCE = "Plan, per month: fee 299.00 kr → 349.00 kr"


@pytest.fixture
def found(sqlite_engine: Engine) -> dict[str, Any]:
    company(sqlite_engine)
    with reading(sqlite_engine) as session:
        return scenarios.simulate(session, SCENARIO, TODAY)


def text(found: dict[str, Any], language: str = "en", **more: Any) -> str:
    made = memo(found, language, company="Forbli AS", **more)
    return PdfReader(io.BytesIO(made.content)).pages[0].extract_text().replace("\u00a0", " ")


def test_the_exact_number_stands_first_and_what_is_assumed_has_its_range(found: dict[str, Any]) -> None:
    said = text(found)
    # Twelve customers pay 50.00 more, three of them 30 % less of it: 12 × 50 − 3 × 15 = 555.00.
    assert "+555.00 kr" in said
    assert SENTENCE in said
    assert "What would change our mind" in said
    assert "κ 2.5" in said
    assert "12 of 12 subscriptions get them; all amounts are without VAT" in said
    assert "Earned in the first year" in said
    assert "expected NRR" in said
    assert "Data · +" in said, "a change has its sign"
    assert "; a month at the end +" in said
    assert "Data of 15 Jun 2026" in said
    assert "Letters go out on " in said or "Letters go out from " in said
    assert ", the new prices begin from " in said


def test_older_prices_and_the_notice_that_holds_are_told(found: dict[str, Any]) -> None:
    exact = {**found["exact"], "older": {"subscriptions": 4, "delta_minor": 15_500}, "notice": [14, 30]}
    said = " ".join(text({**found, "exact": exact}).split())
    assert (
        "4 subscriptions have older prices than those sold today: +155.00 kr a month comes of moving them to these, +400.00 kr of the"
        in said
    )
    assert "at their next renewal, with 14–30 days of notice" in said


def test_the_same_numbers_give_the_same_bytes(found: dict[str, Any]) -> None:
    assert memo(found, "en", company="A").content == memo(found, "en", company="A").content


def test_whoever_asked_and_whoever_approved_are_named(found: dict[str, Any], sqlite_engine: Engine) -> None:
    kept = save_scenario(sqlite_engine, ASKER, "keep", NOW, scenario=to_json(SCENARIO))["scenario_id"]
    request_approval(
        sqlite_engine, ASKER, "ask", NOW, scenario_id=kept, result=found, as_of=TODAY, data_hash="x", engine_version="1", gap_ppm=0,
    )  # fmt: skip
    approve(sqlite_engine, APPROVER, "yes", datetime(2026, 6, 16, tzinfo=UTC), scenario_id=kept,
            terms=effect(sqlite_engine).candidate.terms, moves=effect(sqlite_engine).moves)  # fmt: skip
    with reading(sqlite_engine) as session:
        decided = scenarios.decisions(session, kept)
    said = text(found, decisions=decided, link="https://forbli.example/simulate?scenario=1")
    assert "Kari · 15 Jun 2026" in said
    assert "Ola · 16 Jun 2026" in said
    assert "simulate?scenario=1" in said


def test_it_speaks_norwegian(found: dict[str, Any]) -> None:
    assert "Beslutningsnotat" in text(found, "nb")
