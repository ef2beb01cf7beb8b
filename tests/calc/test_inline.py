"""Many small steps in one plan: the same answers and the same errors, on the caller's thread. What it saves, a benchmark shows."""

from __future__ import annotations

import threading

import polars as pl
import pytest

from core.calc.inline import FEW, inline, inlined
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
