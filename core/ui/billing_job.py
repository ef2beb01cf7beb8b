"""A billing run, or a run's full credit, in the background: one at a time in this process, however often it is started.

The page may be reloaded or closed: the work goes on, and every page that is open shows its progress. Another process that
starts the same does no harm: each chunk recomputes what is due, or what is left to credit, in its own transaction.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from threading import Lock, Thread

import streamlit as st

from core.actions.crediting import Credited, credit_run
from core.actions.invoices import RunResult, run_billing
from core.domain.errors import ForbliError
from core.ui.session import Context


@dataclass
class Job:
    """One run through a day, or the full credit of the run `credits`: how far it is, and how it ended."""

    through: date
    credits: int | None = None
    share: float = 0.0
    words: str = ""
    running: bool = True
    result: RunResult | Credited | None = None
    refusal: ForbliError | None = None
    failure: str = ""
    thread: Thread | None = None

    def tell(self, share: float, words: str) -> None:
        """Progress, told by the run."""
        self.share, self.words = share, words


@dataclass
class Desk:
    """The one job of a database, and who may start it."""

    lock: Lock = field(default_factory=Lock)
    job: Job | None = None


@st.cache_resource(show_spinner=False)
def desk(url: str) -> Desk:
    """The desk of a database, shared by all sessions."""
    return Desk()


def current(context: Context) -> Job | None:
    """The job that runs, or ran last."""
    return desk(str(context.engine.url)).job


def start(context: Context, through: date, command_id: str) -> Job:
    """Start the run, or join what is running."""
    return _started(
        context, Job(through),
        lambda job: run_billing(
            context.engine, context.actor, now=context.now, through=through, issue_date=context.today,
            command_id=command_id, progress=job.tell,
        ),
    )  # fmt: skip


def start_credit(context: Context, run_id: int) -> Job:
    """Start to take a run back, or join what is running."""
    return _started(
        context, Job(context.today, credits=run_id),
        lambda job: credit_run(context.engine, context.actor, now=context.now, run_id=run_id, progress=job.tell),
    )  # fmt: skip


def _started(context: Context, job: Job, work: Callable[[Job], RunResult | Credited]) -> Job:
    place = desk(str(context.engine.url))
    with place.lock:
        if place.job and place.job.running:
            return place.job
        place.job = job
        job.thread = Thread(target=_work, args=(job, work), name="billing run", daemon=True)
        job.thread.start()
        return job


def _work(job: Job, work: Callable[[Job], RunResult | Credited]) -> None:
    """The work itself, in its own thread."""
    try:
        job.result = work(job)
    except ForbliError as refusal:
        job.refusal = refusal
    except Exception:  # whatever it was, the page must say that the run stopped
        job.failure = uuid.uuid4().hex[:8]
        logging.getLogger(__name__).exception("billing run stopped, reference %s", job.failure)
    finally:
        job.running = False
