"""The invoice run and the preview: `uv run --group bench python -m tests.benchmarks rating [--subscriptions N …]`.

The work, the same for each: N subscriptions × 12 months of `company.py` → per month one wide row an invoice (fixed fee, seats
with their days where they change inside the month, add-ons, metered usage through its tiers, discount, VAT per rate and
document, net, gross) and the totals over all rows. All start from the same facts in memory, resolved as far as who has which
quantity in which month and for how many days, which coupon and which VAT rates: the engine from its `BaseLines`, the others
from a wide table with a row a subscription; usage as one column a month for all. Reading facts into that form is not
timed, for nobody; the engine's own is told below the table. Compiling the price book is timed for the engine only. Largest
remainders are spread where a document has two VAT rates. All totals must be equal, or it stops.

DuckDB runs one SQL query a month into a table on two threads, usage beside the subscription so that only prices join;
pandas works on whole columns with binary search for tiers; numba is one fused loop on one thread, compiled before; Decimal
goes row by row on a sample, equal on it, and is extrapolated. Trust CPU and ratios: wall clock depends on the neighbours.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from core import frames
from core.calc.billing.base_lines import BaseLines, lay_lines
from core.calc.billing.documents import draft
from core.calc.billing.layout import lay_out
from core.calc.billing.months import each_month
from core.calc.billing.rated_base import rate_base
from core.calc.pricebook import compile_book
from tests.benchmarks import rivals
from tests.benchmarks.company import MONTHS, NEXT, Company, changes, company, inputs
from tests.benchmarks.rivals import OUT

SAMPLE = 2_000  # subscriptions that Decimal rates
GOALS = {"duckdb": (2.5, "≥ 2.5×"), "pandas": (5.0, "≥ 5×"), "decimal": (80.0, "≥ 80×"), "numba": (1 / 2.5, "≥ 0.4×")}


@dataclass
class Times:
    """Seconds of each round."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    factor: float = 1.0  # Decimal: from the sample to all

    def measure(self, work: Callable[[], dict[str, int]]) -> dict[str, int]:
        """One round."""
        wall, cpu = time.perf_counter(), time.process_time()
        answer = work()
        self.cpu.append((time.process_time() - cpu) * self.factor)
        self.wall.append((time.perf_counter() - wall) * self.factor)
        return answer


def laid_out(base: Company) -> BaseLines:
    """The base in the engine's form."""
    facts = frames.Facts(changes(base.wide), *base.prices, frames.empty(frames.USAGE_EVENTS))
    layout = lay_out(inputs(base, facts), MONTHS)
    assert layout.people.height == len(base.wide), "every subscription of this base is plain"
    return lay_lines(layout)


def engine_run(base: Company, lines: BaseLines) -> Callable[[], dict[str, int]]:
    """The product's engine."""
    usage = [{"calls": pl.Series(used)} for used in base.usage]
    rates = lines.layout.slots
    renamed = {"fixed_minor": "fixed", "seat_minor": "seat", "addon_minor": "addon", "usage_minor": "usage",
               "discount_minor": "discount", "net_minor": "net", "total_minor": "gross",
               f"tax_{rates.index(('standard', 250_000))}": "tax_standard",
               f"tax_{rates.index(('standard', 150_000))}": "tax_food"}  # fmt: skip

    def run() -> dict[str, int]:
        total = dict.fromkeys(OUT, 0)
        for block in each_month(rate_base(lines, compile_book(*base.prices)), usage):
            sums = block.select(pl.col(*renamed).sum()).rename(renamed).row(0, named=True)
            total = {name: total[name] + sums[name] for name in OUT}
        return total

    return run


def runner(name: str, base: Company) -> Callable[[], dict[str, int]]:
    """The work of one contestant, ready to be timed."""
    if name == "engine":
        return engine_run(base, laid_out(base))
    if name == "decimal":
        return rivals.decimal_run(base, SAMPLE)
    makers = {"numba": rivals.numba_run, "pandas": rivals.pandas_run, "duckdb": rivals.duckdb_run}
    return makers[name](base)


def compare(count: int, names: list[str], rounds: int) -> dict[str, Times]:
    """Interleaved rounds of all contestants on one base; their totals are equal."""
    base = company(count)
    works = {name: runner(name, base) for name in names}
    times = {name: Times(factor=count / SAMPLE if name == "decimal" else 1) for name in names}
    if "numba" in works:
        works["numba"]()
    if "decimal" in works:
        sample = Company(base.prices, base.wide.head(SAMPLE), np.ascontiguousarray(base.usage[:, :SAMPLE]))
        wanted = runner("engine", sample)()
        assert times["decimal"].measure(works.pop("decimal")) == wanted, "Decimal and the engine differ"
    for _ in range(rounds):
        totals = {name: times[name].measure(work) for name, work in works.items()}
        for name, total in totals.items():
            assert total == totals["engine"], f"{name} and the engine differ: {total} {totals['engine']}"
    return times


def table(count: int, times: dict[str, Times], memory: dict[str, float]) -> None:
    """Medians, and how the engine compares."""
    print(
        f"\ninvoice run, {count:,} subscriptions × 12 months, {len(times['engine'].cpu)} rounds (Decimal: one, extrapolated)"
    )
    print(f"{'':10}{'CPU s':>9}{'wall s':>9}{'peak MiB':>10}{'CPU ratio':>11}{'goal':>9}")
    ours = statistics.median(times["engine"].cpu)
    for name, taken in sorted(times.items(), key=lambda item: statistics.median(item[1].cpu)):
        cpu, wall = statistics.median(taken.cpu), statistics.median(taken.wall)
        peak = f"{memory[name]:,.0f}" if name in memory else "-"
        line = f"{name:10}{cpu:9.2f}{wall:9.2f}{peak:>10}"
        if name in GOALS:
            least, goal = GOALS[name]
            line += f"{cpu / ours:10.2f}×{goal:>9}  {'reached' if cpu / ours >= least else 'MISSED'}"
        print(line, flush=True)


def peak_memory(name: str, count: int) -> float:
    """Peak MiB of a process that holds the input and makes one run."""
    command = [sys.executable, "-m", "tests.benchmarks", "rating", "--only", name, "--subscriptions", str(count)]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["peak"])


def only(name: str, count: int) -> None:
    """One run, and the most memory that this process had meanwhile, as JSON; making the input does not count."""
    work = runner(name, company(count))
    before = resident()
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")  # forget the peak that making the input had
    work()
    print(json.dumps({"peak": peak(), "input": before}))


def resident() -> float:
    """MiB of this process now."""
    return status("VmRSS")


def peak() -> float:
    """MiB of this process at its highest since the reset."""
    return max(status("VmHWM"), resident())


def status(name: str) -> float:
    """A line of the kernel's account of this process, in MiB."""
    with open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith(name):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def preview(rounds: int = 60) -> None:
    """One subscription with all line kinds, drafted with a proposed change of seats, from its own facts."""
    base = company(2_000, 1)
    given = inputs(base)
    busy = base.wide.filter(pl.col("change_month") == 1, pl.col("coupon_ppm") > 0, pl.col("a3") > 0)
    key, version = busy["subscription_id"][0], busy["version"][0]
    own = pl.col("subscription_id") == key
    charges = given.facts.charges.filter(pl.col("price_version_id") == version)
    facts = frames.Facts(
        given.facts.changes.filter(own), given.facts.versions.filter(pl.col("price_version_id") == version), charges,
        given.facts.tiers.join(charges, on="charge_id", how="semi"), given.facts.usage.filter(own),
    )  # fmt: skip
    one = replace(
        given, facts=facts, scope=given.scope.filter(own), subscriptions=given.subscriptions.filter(own),
        customers=given.customers.filter(pl.col("customer_id") == key),
    )  # fmt: skip
    times = Times()
    for _ in range(rounds):
        times.measure(lambda: {"lines": draft(one, NEXT[0] - (NEXT[0] - MONTHS[0]) / 31).lines.height})
    cpu, wall = (statistics.median(taken) * 1000 for taken in (times.cpu, times.wall))
    verdict = "reached" if wall < 10 else "MISSED"
    print(f"\npreview of one subscription's change: CPU {cpu:.1f} ms, wall {wall:.1f} ms (goal < 10 ms)  {verdict}")


def layout_time(count: int) -> None:
    """How long the engine takes from dated facts to lines by month, which no contestant is timed for."""
    times, base = Times(), company(count)
    times.measure(lambda: {"lines": len(laid_out(base).moves)})
    print(
        f"from dated facts to lines by month (engine only, once a base): CPU {times.cpu[0]:.2f} s, wall {times.wall[0]:.2f} s"
    )


def main(arguments: list[str]) -> None:
    """All rows, or those asked for."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks rating", description=__doc__.splitlines()[0])
    parser.add_argument("--subscriptions", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--growth", type=int, default=0, help="subscriptions for the engine alone, such as 5000000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", nargs="*", default=["numba", "duckdb", "pandas", "decimal"])
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--only", help="one contestant's peak memory, as JSON")
    asked = parser.parse_args(arguments)
    if asked.only:
        only(asked.only, asked.subscriptions[0])
        return
    ours = {}
    for count in asked.subscriptions:
        names = ["engine", *asked.against]
        times = compare(count, names, asked.rounds)
        measured = {} if asked.no_memory else {name: peak_memory(name, count) for name in names if name != "decimal"}
        table(count, times, measured)
        layout_time(count)
        ours[count] = statistics.median(times["engine"].cpu)
    if asked.growth:
        times = compare(asked.growth, ["engine"], asked.rounds)
        measured = {} if asked.no_memory else {"engine": peak_memory("engine", asked.growth)}
        table(asked.growth, times, measured)
        if 1_000_000 in ours:
            grown = statistics.median(times["engine"].cpu) / ours[1_000_000]
            print(f"CPU 1M → {asked.growth:,}: {grown:.1f}× (goal ≤ 6× for 5M)")
    preview()
