"""Benchmarks of the product's own code against others: `uv run --group bench python -m tests.benchmarks NAME [OPTIONS]`.

rating   the invoice run and the preview (goals: performance.md section 0); `rating --help` lists its options
billing  a billing run through the database, with its peak memory: `billing [subscriptions]`
metrics  movements, cohorts, survival, lifetime fits: `metrics [customers …]`
estimator  bias and coverage of the estimator of past reactions on simulated worlds: `estimator [worlds]`
simulation  a price scenario on a prepared base: `simulation [subscriptions …]`
saving   issued documents into the database: `saving [sqlite|postgresql] [documents] [rounds]`
"""

import sys


def main() -> None:
    """Run the benchmark named first with the arguments that follow."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name == "rating":
        from tests.benchmarks.rating import main as rating

        rating(arguments)
    elif name == "metrics":
        from tests.benchmarks.metrics import main as metrics

        metrics(arguments)
    elif name == "estimator":
        from tests.benchmarks.estimator import main as estimator

        estimator(arguments)
    elif name == "simulation":
        from tests.benchmarks.simulation import main as simulation

        simulation(arguments)
    elif name == "billing":
        from tests.benchmarks.billing import main as billing

        billing(*arguments)
    elif name == "saving":
        from tests.benchmarks.saving import main as saving

        saving(*arguments)
    else:
        print(__doc__)
        sys.exit(0 if name in ("-h", "--help") else 2)


if __name__ == "__main__":
    main()
