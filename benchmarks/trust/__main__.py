"""Hold the bars of trust, each with its figure; the exit code is 1 where one is missed.

    python -m benchmarks.trust [BAR ...] [--scale 1] [--database sqlite --database postgresql]

Scale 1 is what docs/trust.md promises and takes hours; 0.01 takes minutes.
"""

import argparse
import sys
from importlib import import_module

from benchmarks.trust import house

BARS = ("kills", "faults", "load", "restarts", "histories", "forgeries", "canaries")


def main() -> None:
    """Run the bars and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bars", nargs="*", choices=[*BARS, []], metavar="BAR", help=", ".join(BARS))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--database", action="append", choices=house.DATABASES)
    options = parser.parse_args()
    print(f"scale {options.scale:g}; {house.machine()}", flush=True)
    missed = 0
    for name in options.bars or BARS:
        module = import_module(f"benchmarks.trust.{name}")
        for database in options.database or house.DATABASES:
            for bar in module.run(database, options.scale):
                print(bar, flush=True)
                missed += not bar.is_met
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
