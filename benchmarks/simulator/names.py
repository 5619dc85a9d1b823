"""Draw the names of simulated people from Faker's lists, into simulator/names.json.

    python -m benchmarks.simulator.names

The file is kept, so that simulated markets need no Faker and do not change with its versions; drawing anew
renames everybody.
"""

import json
from pathlib import Path

from faker import Faker

from simulator import directory

FILE = Path(directory.__file__).with_name("names.json")


def main() -> None:
    first, last = {}, {}
    for country in directory.COUNTRIES:
        faker = Faker(country.locale)
        faker.seed_instance(1)
        first[country.locale] = [faker.first_name() for _ in range(directory.NAMES)]
        # Of "auch Schlauchin", which stands so in a list, a name remains.
        last[country.locale] = [faker.last_name().removeprefix("auch ") for _ in range(directory.NAMES)]
    names = {"made_by": "python -m benchmarks.simulator.names", "first": first, "last": last}
    FILE.write_text(json.dumps(names, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
