"""`python -m core`: the jobs that a scheduler or a person runs without the app.

    migrate                                       bring the database to the newest schema
    import MAPPING.toml FILE [--as-of D] [--dry-run]   take in a file; the same file twice does nothing
    bill --through D [--dry-run]                  issue what falls due; started again it only completes
    check                                         verify the books
    metrics --from D --to D [--by plan|…]         KPIs month by month
    lifetime [--table SURVIVORS.csv]              what customers are worth, or the fit of a table from elsewhere
    simulate SCENARIO.toml                        every number of a pricing change

`--json` prints one JSON object. Exit code 0: done; 1: there are findings; 2: refused, with one sentence on standard error.
The database is `FORBLI_DATABASE_URL`, else a file in the folder `.forbli`. The clock is read here, once.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from core.domain.access import SYSTEM
from core.domain.errors import ForbliError, InvalidInput, NotFound
from core.store.engine import open_engine
from core.store.migrate import migrate

DONE, FINDINGS, REFUSED = 0, 1, 2
Result = tuple[int, dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one job; the exit code."""
    options = parser().parse_args(arguments)
    now = datetime.now(UTC)
    job: Callable[[argparse.Namespace, Engine, datetime], Result] = options.job
    try:
        engine = open_engine()
        migrate(engine)
        code, answer = job(options, engine, now)
    except ForbliError as error:
        return refuse(error, as_json=options.json)
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        known = InvalidInput("The database cannot be used: {reason}", code="no_database", reason=reason)
        return refuse(known, as_json=options.json)
    show(answer, as_json=options.json)
    return code


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="python -m core", description="Forbli's jobs")
    jobs = root.add_subparsers(required=True, metavar="JOB")

    def add(name: str, job: Callable[..., Result], words: str) -> argparse.ArgumentParser:
        sub = jobs.add_parser(name, help=words, description=words)
        sub.add_argument("--json", action="store_true", help="print one JSON object")
        sub.set_defaults(job=job)
        return sub

    add("migrate", do_migrate, "bring the database to the newest schema")
    intake = add("import", do_import, "take in a file by a mapping; the same file twice does nothing")
    intake.add_argument("mapping", metavar="MAPPING.toml", help="what the file's columns mean")
    intake.add_argument("file", metavar="FILE", help="a text file with a header line")
    intake.add_argument("--as-of", type=_day, metavar="DATE", help="the day the file speaks of")
    intake.add_argument("--dry-run", action="store_true", help="say what would happen, write nothing")
    bill = add("bill", do_bill, "issue what falls due; started again it only completes")
    bill.add_argument("--through", type=_day, required=True, metavar="DATE", help="bill what falls due up to this day")
    bill.add_argument("--dry-run", action="store_true", help="say what would happen, write nothing")
    add("check", do_check, "verify the books")
    figures = add("metrics", do_metrics, "KPIs month by month")
    figures.add_argument(
        "--from", dest="first", type=_day, required=True, metavar="DATE", help="a day of the first month"
    )
    figures.add_argument("--to", dest="last", type=_day, required=True, metavar="DATE", help="the last day")
    figures.add_argument(
        "--by", default="", metavar="SEGMENT", help="plan, currency, kind, country, channel, payment_option"
    )
    lives = add("lifetime", do_lifetime, "what customers are worth, or the fit of a survivor table")
    lives.add_argument("--table", metavar="SURVIVORS.csv", help="columns period and alive")
    lives.add_argument(
        "--by", default="", metavar="SEGMENT", help="plan, kind, payment_option, channel, country, onboarding"
    )
    change = add("simulate", do_simulate, "every number of a pricing change")
    change.add_argument("scenario", metavar="SCENARIO.toml", help="the change; seed/scenarios/ has examples")
    change.add_argument("--as-of", type=_day, metavar="DATE", help="the day of the base, today if not said")
    change.add_argument("--memo", metavar="FILE.pdf", help="write the decision memo there as well")
    change.add_argument("--language", choices=["en", "nb"], default="en", help="of the sentence and the memo")
    return root


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a date such as 2024-01-31") from None


def do_migrate(_options: argparse.Namespace, engine: Engine, _now: datetime) -> Result:
    """The schema is brought up to date before every job; this job does nothing else."""
    return DONE, {"database": engine.dialect.name, "schema": "newest"}


def do_import(options: argparse.Namespace, engine: Engine, now: datetime) -> Result:
    """Take in a file."""
    from core.actions.imports import import_file, preview_import

    content = {
        "name": Path(options.file).name,
        "mapping": _text(options.mapping),
        "data": _bytes(options.file),
        "as_of": options.as_of,
    }
    if options.dry_run:
        return DONE, {"dry_run": True, **preview_import(engine, today=now.date(), **content)}
    return DONE, import_file(engine, SYSTEM, command_id=f"import:{uuid.uuid4()}", now=now, **content)


def do_bill(options: argparse.Namespace, engine: Engine, now: datetime) -> Result:
    """Run billing through a day."""
    from core.actions.invoices import run_billing

    result = run_billing(engine, SYSTEM, now=now, through=options.through, dry_run=options.dry_run)
    return DONE, dataclasses.asdict(result)


def do_check(_options: argparse.Namespace, engine: Engine, _now: datetime) -> Result:
    """Verify the books."""
    from core.reports.integrity import check
    from core.store.engine import reading

    with reading(engine) as session:
        findings = [{"code": one.code, "subject": one.subject, "reason": one.sentence()} for one in check(session)]
    return FINDINGS if findings else DONE, {"findings": findings}


def do_metrics(options: argparse.Namespace, engine: Engine, now: datetime) -> Result:
    """KPIs month by month."""
    from core.reports.figures_file import metrics
    from core.store.engine import reading

    with reading(engine) as session:
        return DONE, metrics(session, options.first, options.last, options.by, now.date())


def do_lifetime(options: argparse.Namespace, engine: Engine, now: datetime) -> Result:
    """What customers are worth, or the fit of a table."""
    from core.reports.figures_file import lifetime_of_all, lifetime_of_table
    from core.store.engine import reading

    if options.table:
        return DONE, lifetime_of_table(_bytes(options.table))
    with reading(engine) as session:
        return DONE, lifetime_of_all(session, now.date(), options.by)


def do_simulate(options: argparse.Namespace, engine: Engine, now: datetime) -> Result:
    """Every number of a scenario file."""
    from core.documents.memo import memo, said
    from core.documents.words import Words
    from core.domain.scenarios import from_toml
    from core.reports.scenarios import simulate
    from core.store.billing import company_name
    from core.store.engine import reading

    scenario, today = from_toml(_text(options.scenario, "scenario")), options.as_of or now.date()
    with reading(engine) as session:
        found = simulate(session, scenario, today)
        if options.memo:
            paper = memo(found, options.language, company=company_name(session, today), notes=scenario.notes)
            _write(options.memo, paper.content)
    told = {"sentence": said(found, Words.of(options.language)), **found}
    if not options.json:  # people read the sentence
        del told["scenario"], told["prices"]
    return DONE, told


def _write(name: str, content: bytes) -> None:
    try:
        Path(name).write_bytes(content)
    except OSError as error:
        raise InvalidInput("{name} cannot be written: {reason}", code="unwritable", name=name, reason=error.strerror) from None  # fmt: skip


def _bytes(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except FileNotFoundError:
        raise NotFound("There is no file {name}", code="no_file", name=name) from None
    except OSError as error:
        raise InvalidInput(
            "{name} cannot be read: {reason}", code="unreadable", name=name, reason=error.strerror
        ) from None


def _text(name: str, what: str = "mapping") -> str:
    try:
        return _bytes(name).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("The {what} {name} is not UTF-8 text", code=f"bad_{what}", what=what, name=name) from None


def refuse(error: ForbliError, *, as_json: bool) -> int:
    """One sentence on standard error, then the findings of single rows; as JSON on standard output."""
    rows = [{"line": row.line, "reason": row.sentence()} for row in getattr(error, "findings", [])]
    if as_json:
        count = getattr(error, "count", 0)
        print(json.dumps({"error": str(error), "code": error.code, "count": count, "rows": rows}, ensure_ascii=False))
    else:
        print(str(error), file=sys.stderr)
        for row in rows:
            print(f"  line {row['line']}: {row['reason']}", file=sys.stderr)
        if error.hint:
            print(error.hint, file=sys.stderr)
    return REFUSED


def show(answer: dict[str, Any], *, as_json: bool) -> None:
    """The answer as JSON, or one line for each thing it says."""
    if as_json:
        print(json.dumps(answer, ensure_ascii=False, default=str))
        return
    for name, value in answer.items():
        print(f"{name.replace('_', ' ')}: {_words(value)}")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list):
        return "".join(f"\n  {_words(part)}" for part in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    sys.exit(main())
