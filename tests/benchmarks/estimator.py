"""How right the estimator of past reactions is: `uv run --group bench python -m tests.benchmarks estimator [worlds]`.

Worlds of 20,000 customers whose churn rises by 4 % a month for everybody, with a price change at renewal whose effect is known
(tests/worlds.py). Per setting: mean estimate by months since the change, its standard error, bias, how often the 90 % interval
has the truth, and what a plain before-against-after would have said.
"""

from __future__ import annotations

import numpy as np

from core.calc.simulation.history import BINS, _mean_decay, estimate
from tests.worlds import KAPPA, naive, world

WORLDS = 40


def main(arguments: list[str]) -> None:
    """One table a setting: with a known schedule, and with lived changes only."""
    count = int(arguments[0]) if arguments else WORLDS
    for planned in (True, False):
        found, plain = [], []
        for seed in range(count):
            lives, rises = world(seed, planned=planned)
            found.append(estimate(lives, rises))
            plain.append(naive(lives, rises))
        print(
            f"\n{count} worlds of 20,000, {'schedule known' if planned else 'lived changes only'}; truth κ {KAPPA}; before against after says {np.mean(plain):.2f}"
        )
        print(f"{'months':>8}{'truth':>8}{'mean':>8}{'bias':>8}{'s.e.':>8}{'spread':>8}{'covered':>9}")
        rows = [("in all", KAPPA, [(each.kappa, each.error) for each in found])]
        for place, (first, last) in enumerate(BINS):
            rows.append((f"{first}–{last}", KAPPA * _mean_decay(first, last), [each.bins[place][2:] for each in found]))
        for name, truth, told in rows:
            value, error = np.array(told).T
            covered = np.mean(np.abs(value - truth) <= 1.6449 * error)
            print(
                f"{name:>8}{truth:8.2f}{value.mean():8.2f}{value.mean() - truth:8.2f}{error.mean():8.2f}{value.std():8.2f}{covered:9.0%}"
            )
