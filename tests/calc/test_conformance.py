"""The worked cases of other billing systems, and that the runner itself notices what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import check, main, report, run

CASES = json.loads((Path(__file__).parent.parent / "vectors" / "billing.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", sorted({case["kind"] for case in CASES}))
def test_the_worked_cases_of_other_systems_come_out_as_recommended(kind):
    results = run(CASES, kind)

    assert [result.differences for result in results if result.state == "failed"] == []
    assert all(result.state == "passed" for result in results if result.case["recommended"])


def case(kind: str, expected: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {"id": "own", "kind": kind, "input": given, "expected": expected, "recommended": True}


def test_a_wrong_amount_is_told_with_expected_and_got():
    wrong = case("discount_tax", {"amount": "10.00"}, op="round", currency="USD", amount="10.005")

    result = check(wrong)

    assert result.differences == ["amount: expected 10.00, got 10.01"]
    assert "MISMATCH own: amount: expected 10.00, got 10.01" in report([result])


@pytest.mark.parametrize(
    "given",
    [
        {"model": "per_unit", "currency": "EUR", "unit_amount": "1", "quantity": "1", "surprise": "2"},
        {"model": "graduated", "currency": "EUR", "quantity": "1", "tiers": [{"up_to": None, "bonus": "2"}]},
    ],
)
def test_an_unknown_key_is_never_ignored(given):
    assert "unknown keys" in check(case("charge_model", {"amount": "1"}, **given)).differences[0]


def test_the_command_fails_on_a_mismatch_of_a_recommended_case_only(tmp_path, capsys):
    wrong = case("discount_tax", {"amount": "10.00"}, op="round", currency="USD", amount="10.005")
    file = tmp_path / "cases.json"
    for recommended, code in ((True, 1), (False, 0)):
        file.write_text(json.dumps([{**wrong, "recommended": recommended, "expected_recommended": {"amount": "1"}}]))
        assert main([str(file)]) == code
    assert "discount_tax" in capsys.readouterr().out
