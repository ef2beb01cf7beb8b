"""`python -m seed`: fill an empty database with the demo company.

    python -m seed [--customers N] [--months M] [--invoiced K] [--as-of D] [--seed S]

The database is `FORBLI_DATABASE_URL`, else a file in the folder `.forbli`; one that holds anything else is refused. Stopped
and started again with the same options, it goes on where it was. The clock is read here, once.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime

from core.domain.errors import ForbliError
from core.store.engine import open_engine
from core.store.migrate import migrate
from seed.company import CUSTOMERS, MONTHS, SEED, fill

DONE, REFUSED = 0, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the database; the exit code."""
    options = parser().parse_args(arguments)
    began = time.perf_counter()

    def progress(share: float, sentence: str) -> None:
        print(f"\r{share:4.0%}  {sentence:<12}", end="", flush=True)

    try:
        engine = open_engine()
        migrate(engine)
        fill(
            engine,
            as_of=options.as_of,
            customers=options.customers,
            months=options.months,
            invoiced=options.invoiced,
            seed=options.seed,
            progress=progress,
        )
    except ForbliError as error:
        print(str(error), file=sys.stderr)
        return REFUSED
    print(f"\rThe demo company is ready after {time.perf_counter() - began:.0f} s")
    return DONE


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(prog="python -m seed", description="Fill an empty database with the demo company")
    line.add_argument("--customers", type=_count, default=CUSTOMERS, help="how many customers come in all")
    line.add_argument("--months", type=_count, default=MONTHS, help="months of history, the current one included")
    line.add_argument("--invoiced", type=_count, help="how many of them, the last ones, have invoices (all)")
    line.add_argument(
        "--as-of", type=_day, default=datetime.now(UTC).date(), metavar="DATE", help="today, for the demo"
    )
    line.add_argument("--seed", type=int, default=SEED, help="another seed, another company")
    return line


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a date such as 2024-01-31") from None


if __name__ == "__main__":
    sys.exit(main())
