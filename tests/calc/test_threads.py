"""Few rows on the caller's thread, many on two: the same answers and the same errors. What it saves, a benchmark shows."""

from __future__ import annotations

import threading

import polars as pl
import pytest

from core.calc.threads import FEW, MANY, inline, inlined, side_by_side
from core.domain.errors import Conflict


@pytest.mark.parametrize("rows", [1, FEW, FEW + 1])
def test_answers_what_the_work_answers_on_the_callers_thread(rows: int) -> None:
    frame = pl.DataFrame({"a": [3, 1, 2]})

    def work() -> tuple[list[int], int]:
        return frame.filter(pl.col("a") > 1).sort("a")["a"].to_list(), threading.get_ident()

    assert inline(work, rows=rows) == ([2, 3], threading.get_ident())


def test_what_is_raised_arrives_as_it_is_however_deep() -> None:
    @inlined
    def refuse(sentence: str) -> None:
        """Refuses."""
        raise Conflict(sentence, code="test")

    with pytest.raises(Conflict, match="not today"):
        inline(lambda: refuse("not today"))
    with pytest.raises(KeyboardInterrupt):
        inline(lambda: (_ for _ in ()).throw(KeyboardInterrupt()))


@pytest.mark.parametrize(("rows", "threads"), [(MANY - 1, 1), (MANY, 2)])
def test_two_halves_are_both_answered_each_on_a_thread_of_its_own_when_they_are_large(rows: int, threads: int) -> None:
    one, other = side_by_side(lambda: ("a", threading.get_ident()), lambda: ("b", threading.get_ident()), rows=rows)

    assert (one[0], other[0]) == ("a", "b")
    assert len({one[1], other[1]}) == threads


@pytest.mark.parametrize("rows", [1, MANY])
def test_what_either_half_raises_arrives_as_it_is(rows: int) -> None:
    def refuse() -> None:
        raise Conflict("not today", code="test")

    for halves in ((refuse, str), (str, refuse)):
        with pytest.raises(Conflict, match="not today"):
            side_by_side(*halves, rows=rows)
