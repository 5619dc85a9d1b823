"""What one call costs: processor time of keeping and recording it, and bytes on the disk. See docs/scale.md.

python -m benchmarks.trust.costs [--calls 5000]
"""

import argparse
import time
from random import Random

from sqlalchemy import Engine, func, select, text

from benchmarks.trust import house
from benchmarks.trust.histories import NINE, story
from tracking.storage import db
from tracking.storage.models import Call
from tracking.telephony import providers
from tracking.telephony.inbox import Inbox
from tracking.telephony.routing import Routing

AT_ONCE = 8
"""Events that come together, as on a busy day; they share a transaction."""


def run(database: str, calls: int) -> str:
    """Tell of calls, each with six events, and weigh what they left."""
    with house.house(database) as acme, acme.opened() as engine:
        inbox = Inbox(engine, acme.settings, Routing(acme.settings), providers.interpreters(), lambda: NINE)
        before = _bytes(engine)
        told = [arrival for call in range(calls) for arrival in story(call)]
        Random(1).shuffle(told)
        began = time.process_time()
        for first in range(0, len(told), AT_ONCE):
            inbox._keep(told[first : first + AT_ONCE])
        took = time.process_time() - began
        inbox.close()
        grown = _bytes(engine) - before
        with db.reading(engine) as session:
            assert session.scalar(select(func.count(Call.id))) == calls
    return (
        f"{database}: {calls:,} calls of six events, {AT_ONCE} at a time: {1000 * took / calls:.1f} ms of "
        f"our processor and {grown / calls:,.0f} bytes a call, indexes and raw events included"
    )


def _bytes(engine: Engine) -> int:
    with db.reading(engine) as session:
        if engine.name == "postgresql":
            return int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0)
        pages, size = (session.scalar(text(f"PRAGMA page_{what}")) or 0 for what in ("count", "size"))
        return int(pages) * int(size)


def main() -> None:
    """Print what a call costs on each database."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--calls", type=int, default=5000)
    options = parser.parse_args()
    print(house.machine())
    for database in house.DATABASES:
        print(run(database, options.calls), flush=True)


if __name__ == "__main__":
    main()
