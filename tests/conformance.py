"""Runs worked cases (billing.md section 0) through the product's own functions: `python -m tests.conformance FILE.json`.

The runner translates and compares; every amount and boundary comes from `core`. Of cases that the source decides otherwise
than we do (`recommended` false) our own answer is tested where it is given; disputed ones are never held to the source.
Exit 1 when a recommended case differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from core.domain.errors import ForbliError
from tests.answers import charge_model as charges
from tests.answers.credits import credit_note, plan_change
from tests.answers.discount_tax import commitment, discount_tax
from tests.answers.given import Answer, Given, OutOfScope
from tests.answers.periods import billing_period, proration

KINDS: dict[str, Callable[[Given], Answer]] = {
    "charge_model": charges.charge_model,
    "proration": proration,
    "billing_period": billing_period,
    "discount_tax": discount_tax,
    "commitment": commitment,
    "credit_note": credit_note,
    "plan_change": plan_change,
}
# Figures of the source that the product has no counterpart for.
NOT_OURS = {"line_discounts_precise": "unrounded shares of a discount"}


@dataclass
class Result:
    """What became of one case: passed, failed or skipped."""

    case: dict[str, Any]
    state: str = "passed"
    reason: str = ""
    differences: list[str] = field(default_factory=list)

    @property
    def counts(self) -> bool:
        """Does a failure of this case fail the run?"""
        return self.state == "failed" and bool(self.case["recommended"])


def run(cases: list[dict[str, Any]], kind: str | None = None) -> list[Result]:
    """All cases, or those of a kind."""
    return [check(case) for case in cases if kind in (None, case["kind"])]


def check(case: dict[str, Any]) -> Result:
    """One case against the product."""
    wanted, reason = _wanted(case)
    if not wanted:
        return Result(case, "skipped", reason)
    given = Given(case["input"])
    try:
        answer = KINDS[case["kind"]](given)
        unread = given.unread()
        if unread:
            return Result(case, "failed", "", [f"input has unknown keys: {', '.join(sorted(set(unread)))}"])
    except OutOfScope as reason:
        return Result(case, "skipped", f"out of scope: {reason}")
    except ForbliError as error:
        return Result(case, "failed", "", [f"refused: {error}"])
    except Exception as error:  # a case that cannot be read must not hide the others
        return Result(case, "failed", "", [f"{type(error).__name__}: {error}"])
    found = [_difference(key, value, answer, case["input"]) for key, value in wanted.items() if key not in NOT_OURS]
    differences = [text for text in found if text]
    return Result(case, "failed" if differences else "passed", "", differences)


def _wanted(case: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What the product should answer, or why the case is not put."""
    own: dict[str, Any] = case.get("expected_recommended") or {}
    if case.get("disputed"):
        return own, "disputed"
    if not case["recommended"] and not own:
        return {}, "another policy"
    return {**case["expected"], **own}, ""


def _difference(key: str, expected: Any, answer: Answer, given: dict[str, Any]) -> str:
    """Empty when the answer is what was expected."""
    if key == "amount_unrounded":
        got: Any = answer["amount"]
        expected = charges.check_unrounded(str(expected), given["currency"])
    elif key not in answer:
        return f"{key}: expected {expected}, the product says nothing about it"
    else:
        got = answer[key]
    if key == "lines":
        expected, got = (_without_nothing(parts) for parts in (expected, got))
    return "" if _same(expected, got) else f"{key}: expected {expected}, got {got}"


def _without_nothing(parts: list[str]) -> list[str]:
    """Sources list tiers that cost nothing, or leave them out."""
    return [part for part in parts if Decimal(part)]


def _same(expected: Any, got: Any) -> bool:
    """Equal, numbers by value; an unrounded number to the places that the case states."""
    if isinstance(expected, dict):
        return all(name in got and _same(value, got[name]) for name, value in expected.items())
    if isinstance(expected, list):
        return len(expected) == len(got) and all(_same(*pair) for pair in zip(expected, got, strict=True))
    try:
        return Decimal(str(expected)) == Decimal(str(got))
    except InvalidOperation:
        return str(expected) == str(got)


def report(results: list[Result]) -> str:
    """Every mismatch, what was skipped and why, and a summary per kind."""
    lines = []
    for result in results:
        if result.state == "failed":
            note = "" if result.case["recommended"] else " (the source has another policy)"
            lines += [f"MISMATCH {result.case['id']}{note}: {text}" for text in result.differences]
    skipped = Counter(f"{result.case['kind']}: {result.reason}" for result in results if result.state == "skipped")
    lines += [f"skipped {number} of {reason}" for reason, number in sorted(skipped.items())]
    kinds = list(dict.fromkeys(result.case["kind"] for result in results))
    lines += [_summary(kind, [r for r in results if r.case["kind"] == kind]) for kind in kinds]
    return "\n".join([*lines, _summary("all", results)])


def _summary(name: str, results: list[Result]) -> str:
    """Counts of one kind; recommended cases apart."""
    states = Counter(result.state for result in results)
    ours = [result for result in results if result.case["recommended"]]
    good = sum(result.state == "passed" for result in ours)
    return (
        f"{name:<15} {states['passed']:>4} passed {states['failed']:>4} failed {states['skipped']:>4} skipped"
        f"   recommended {good}/{len(ours)}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Run worked cases through the product's own functions.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--kind", choices=sorted(KINDS))
    options = parser.parse_args(arguments)
    results = run(json.loads(options.file.read_text(encoding="utf-8")), options.kind)
    print(report(results))
    return int(any(result.counts for result in results))


if __name__ == "__main__":
    sys.exit(main())
