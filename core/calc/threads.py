"""On which thread frame steps run: many small ones without waking a worker for each, two large halves side by side.

Polars hands most steps to its thread pool and waits for it: on a frame of ten rows that costs three to five times what the
step itself does. Inside the evaluation of a plan it goes on where it is. So a computation of hundreds of steps on few rows is
put into one plan as a whole: the same functions, the same results, and all of it on the caller's thread. Work on many rows
would lose its second processor; where its steps are single ones on whole columns, two of them go `side_by_side`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import ParamSpec, TypeVar

import polars as pl

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
FEW = 10_000  # rows (or customers) up to which waking threads costs more than they save
MANY = 500_000  # rows from which one step on a column takes longer than starting a thread and taking turns with it
_PLAN = pl.LazyFrame({"step": [0]})


def inline(work: Callable[[], R], *, rows: int = 1) -> R:
    """What `work()` answers or raises, computed on this thread unless it is about more than FEW rows (or this runs inline itself)."""
    if rows > FEW:
        return work()
    answers: list[R] = []
    raised: list[BaseException] = []

    def step(frame: pl.DataFrame) -> pl.DataFrame:
        try:
            answers.append(work())
        except BaseException as error:  # Polars would wrap it; who called wants it as it is
            raised.append(error)
        return frame

    _PLAN.map_batches(step, schema=_PLAN.collect_schema()).collect()
    if raised:
        raise raised[0]
    return answers[0]


def side_by_side(one: Callable[[], R], other: Callable[[], S], *, rows: int) -> tuple[R, S]:
    """Both answers; from MANY rows the second is worked out on a thread of its own, for single steps on columns use one only."""
    if rows < MANY:
        return one(), other()
    with ThreadPoolExecutor(1) as aside:
        second = aside.submit(other)
        return one(), second.result()


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A function that is always about few rows."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return inline(lambda: function(*args, **kwargs))

    return run
