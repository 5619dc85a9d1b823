"""How often the engine's 90 % intervals hold the long run, and how often the truth.

python -m benchmarks.simulator.coverage [--markets 20] [--accounts 500 2000]
"""

import argparse

from simulator.coverage import measure
from simulator.runs import mapper
from simulator.scenario import load

MODELS = ("first-touch", "last-touch", "linear")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--markets", type=int, default=20)
    parser.add_argument("--accounts", type=int, nargs="+", default=[500, 2000])
    arguments = parser.parse_args()
    for name in ("one-touch", "supplier"):
        scenario = load(name, {"desk.reps": 0})
        for accounts in arguments.accounts:
            with mapper() as spread:
                found = measure(scenario, spread, accounts=accounts, markets=arguments.markets, models=MODELS)
            for each in found:
                print(f"{name}, {accounts} companies, {each}", flush=True)


if __name__ == "__main__":
    main()
