"""What fresh figures cost: a base from nothing, its size, and the first page after one new call.

python -m benchmarks.figures --keep var/large            (makes the data once, and measures them again)
python -m benchmarks.figures --keep var/demo --demo      (the demo instead of a large installation)
"""

import argparse
import resource
import statistics
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, select

from benchmarks import web
from benchmarks.web import EVERY_MODEL, KEY, Office, Visit, timed
from tracking import clock
from tracking.demo import filling
from tracking.reporting import bases
from tracking.reporting.credit import GROUPS
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Call, TrackingNumber
from tracking.storage.vocabulary import CallStatus, Role
from tracking.telephony import calls
from tracking.telephony.calls import CallEvent


def rebuild(settings: Settings) -> None:
    """Write a base with the credit of every model, and tell what that took; in a process of its own."""
    engine = db.open_installed(settings)
    with db.reading(engine) as session:
        spent = timed(lambda: bases.take(session, settings, at=clock.now(), groups=tuple(GROUPS)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"base from nothing: {spent.processor:.1f} s of processor, {spent.clock:.1f} s, {peak:,.0f} MB")
    engine.dispose()


def ring(engine: Engine, number: int) -> None:
    """Let a caller ring who has rung before, as a provider reports it."""
    with db.transaction(engine) as session:
        known = session.scalars(
            select(Call).where(Call.caller.is_not(None)).order_by(Call.id).limit(number)
        ).all()
        dialled = session.scalar(select(TrackingNumber.number))
        assert dialled is not None
        event = CallEvent(
            provider="benchmark",
            provider_call_id=f"{clock.now().timestamp()}",
            dialled=(dialled,),
            caller=known[-1].caller,
            started_at=clock.now() - timedelta(minutes=5),
            status=CallStatus.completed,
        )
        calls.record(session, [event], region="SE")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--touches", type=int, default=3_000_000)
    parser.add_argument("--deals", type=int, default=50_000)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--rebuild", action="store_true", help=argparse.SUPPRESS)
    told = parser.parse_args()
    settings = Settings(data_dir=told.keep, key=KEY)
    if told.rebuild:
        rebuild(settings)
        return
    engine = install_demo(settings) if told.demo else web.install(told, settings)
    again = [sys.executable, "-m", "benchmarks.figures", "--keep", str(told.keep), "--rebuild"]
    subprocess.run(again, check=True)
    files = [path for path in (told.keep / "snapshots").rglob("*") if path.is_file()]
    newest = max(
        (path.parent for path in files if path.name == "about.json"), key=lambda p: p.stat().st_mtime
    )
    store = sum(path.stat().st_size for path in files if path.parent == newest) / 2**20
    whole = sum(path.stat().st_size for path in told.keep.glob("ringtrail.db*")) / 2**20
    print(f"base on the disk: {store:,.0f} MB beside a database of {whole:,.0f} MB")
    office = Office(settings, engine)
    models = "&".join(f"model={name}" for name in EVERY_MODEL)
    pages = [Visit(Role.viewer, path, path[:12]) for path in ("/", f"/roi?{models}", "/roi/trends")]
    print(f"{'milliseconds':40}{'median':>10}{'most':>10}{'processor':>10}")
    for page in [Visit(Role.viewer, web.EMPTY, "an empty page"), *pages]:
        office.fetch(page)
        times = []
        for turn in range(told.repeat):
            ring(engine, turn + 1)
            times.append(timed(lambda page=page: office.fetch(page)))
        clocks = [one.clock * 1000 for one in times]
        processor = statistics.median(one.processor * 1000 for one in times)
        figures = (statistics.median(clocks), max(clocks), processor)
        print(f"{page.name + ', after one new call':40}" + "".join(f"{ms:10.0f}" for ms in figures))
    office.app.extensions["ringtrail"]["inbox"].close()
    engine.dispose()


def install_demo(settings: Settings) -> Engine:
    """Fill the demo, unless it is there, and let somebody of each role in."""
    fresh = not (settings.data_dir / "ringtrail.db").exists()
    engine = db.install(settings)
    if fresh:
        spent = timed(lambda: filling.fill(engine, clock.now()))
        print(f"demo filled in {spent.processor:.1f} s of processor")
        web.let_in(engine, settings)
    return engine


if __name__ == "__main__":
    main()
