"""Rows per second and memory of importing a large file of telephone records.

python -m benchmarks.imports --megabytes 1000
python -m benchmarks.imports --megabytes 50 --profile
"""

import argparse
import cProfile
import pstats
import random
import resource
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.callers import CALLERS
from tracking import clock
from tracking.imports import run
from tracking.imports.cdr import CallRecords
from tracking.imports.outcomes import Result
from tracking.imports.reading import Table
from tracking.imports.values import Dialect
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Account, Call

NUMBERS = [f"+4670174{last:04d}" for last in range(605, 680)]


def write(path: Path, megabytes: int, seed: int) -> int:
    """Write an Asterisk cdr_csv file of a given size and return its rows."""
    chance = random.Random(seed)
    started = clock.now().replace(year=2026, month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    rows = size = 0
    with path.open("w", newline="") as file:
        while size < megabytes * 1_000_000:
            started += timedelta(seconds=chance.randrange(1, 20))
            wait, talk = chance.randrange(3, 25), max(0, chance.randrange(-100, 600))
            caller, number = chance.choice(CALLERS), chance.choice(NUMBERS)
            answer = f'"{started + timedelta(seconds=wait):%Y-%m-%d %H:%M:%S}"' if talk else ""
            size += file.write(
                f'"","{caller}","{number}","from-trunk","""Caller"" <{caller}>","PJSIP/trunk-{rows:08x}",'
                f'"PJSIP/200-{rows:08x}","Dial","PJSIP/200,25","{started:%Y-%m-%d %H:%M:%S}",{answer},'
                f'"{started + timedelta(seconds=wait + talk):%Y-%m-%d %H:%M:%S}",{wait + talk},{talk},'
                f'"{"ANSWERED" if talk else "NO ANSWER"}","DOCUMENTATION","{1767225600 + rows}.{rows}",""\n'
            )
            rows += 1
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--twice", action="store_true", help="Import the same file again.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ringtrail-bench-") as folder:
        path = Path(folder) / "calls.csv"
        rows = write(path, arguments.megabytes, seed=1)
        print(f"{path.stat().st_size / 1e6:,.0f} MB, {rows:,} rows, {len(CALLERS):,} callers", flush=True)
        engine = db.connect(settings := Settings(data_dir=Path(folder)))
        db.upgrade(engine)
        for _ in range(2 if arguments.twice else 1):
            profile = cProfile.Profile()
            begun = time.perf_counter()
            if arguments.profile:
                profile.enable()
            with path.open("rb") as file:
                table = Table(file, path.name)
                form = CallRecords(table, Dialect(settings.zone, "EUR"), settings.region)
                result = run.run(engine, table, form, at=clock.now(), dry_run=arguments.dry_run)
            profile.disable()
            report(result, time.perf_counter() - begun)
            if arguments.profile:
                pstats.Stats(profile).sort_stats("tottime").print_stats(40)
        with db.reading(engine) as session:
            print(
                f"stored: {session.scalar(select(func.count(Call.id))):,} calls of "
                f"{session.scalar(select(func.count(Account.id))):,} companies"
            )


def report(result: Result, seconds: float) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{result.rows:,} rows in {seconds:,.1f} s: {result.rows / seconds:,.0f} rows/s; "
        f"{result.created:,} created, {result.skipped:,} skipped, {result.refused:,} refused; "
        f"peak memory {peak:,.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
