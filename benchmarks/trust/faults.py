"""The telephone rings whatever ails the database, and soon; what came meanwhile is caught up in a minute."""

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from sqlalchemy import text

from benchmarks.trust.house import SHORT, Bar, House, Told, at_rate, house

RATE = 20.0
"""Calls a second: a thousand and more in a minute, where a supplier has a few."""


@contextmanager
def locked(acme: House) -> Iterator[None]:
    """Hold the lock that every writer needs, as a stuck process would."""
    with acme.opened() as engine, engine.connect() as holder:
        if engine.name == "postgresql":
            # Ours are ended after a minute without a word, which would free the lock early.
            holder.execute(text("SET idle_in_transaction_session_timeout = 0"))
            holder.execute(text("LOCK TABLE inbox_event, call IN ACCESS EXCLUSIVE MODE"))
        else:
            holder.execute(text("SELECT 1"))  # our engines begin IMMEDIATE
        yield
        holder.rollback()


@contextmanager
def slow(acme: House) -> Iterator[None]:
    """Let writers wait most of the time."""
    over = threading.Event()

    def hold() -> None:
        while not over.wait(0.1):
            try:
                with locked(acme):
                    over.wait(0.9)
            except Exception:  # it may have come late to its own lock
                continue

    thread = threading.Thread(target=hold)
    thread.start()
    yield
    over.set()
    thread.join()


@contextmanager
def moved(acme: House) -> Iterator[None]:
    """Take the database's files away, and put them back."""
    elsewhere = acme.folder / "elsewhere"
    elsewhere.mkdir()
    found = sorted(acme.folder.glob("ringtrail.db*"))
    for path in found:
        path.rename(elsewhere / path.name)
    yield
    for path in acme.folder.glob("ringtrail.db*"):
        path.unlink()
    for path in found:
        (elsewhere / path.name).rename(path)


@contextmanager
def frozen(acme: House) -> Iterator[None]:
    """Freeze every process of the PostgreSQL server."""
    # The first one starts the others, so none is new once it is still; one may end meanwhile.
    first = acme.server.get_pid()
    os.kill(first, signal.SIGSTOP)
    processes = family(first)
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGSTOP)
    yield
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)


@contextmanager
def stopped(acme: House) -> Iterator[None]:
    """Stop the PostgreSQL server, and start it again."""
    acme.server.stop()
    yield
    acme.server.ensure_postgres_running()


@contextmanager
def full(acme: House) -> Iterator[None]:
    """Leave no byte free on the disk."""
    ballast = acme.folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1_000_000, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    yield
    ballast.unlink()


Fault = Callable[[House], AbstractContextManager[None]]
FAULTS: dict[str, dict[str, Fault]] = {
    "sqlite": {"locked": locked, "slow": slow, "moved": moved},
    "postgresql": {"stopped": stopped, "frozen": frozen, "locked": locked, "slow": slow},
}


def run(database: str, scale: float) -> list[Bar]:
    """Let each fault last; 60 s at full scale."""
    bars = []
    with house(database) as acme:
        acme.start()
        at_rate(acme.port, Told(), range(50), 50)
        for place, (name, fault) in enumerate(FAULTS[database].items(), 1):
            bars.append(_bar(acme, database, name, fault, place * 1_000_000, scale))
        bars.append(_storm(acme, database, scale))
    if database == "sqlite" and os.geteuid() == 0:
        with small_disk() as folder, house(database, folder) as acme:
            acme.start()
            at_rate(acme.port, Told(), range(50), 50)
            bars.append(_bar(acme, database, "disk full", full, 1_000_000, scale))
    return bars


def _lasts(scale: float) -> float:
    return max(1.5, 60 * scale)


def _bar(acme: House, database: str, name: str, fault: Fault, first: int, scale: float) -> Bar:
    told, lasts = Told(), _lasts(scale)
    calls = range(first, first + int(RATE * lasts))
    with fault(acme):
        at_rate(acme.port, told, calls, RATE)
    return _judged(acme, database, f"{name} {lasts:.0f} s", told, scale)


def _storm(acme: House, database: str, scale: float) -> Bar:
    """Ten times the rate, each call told twice, as a provider's retries do."""
    told = Told()
    first = 90_000_000
    calls = [first + at // 2 for at in range(int(10 * RATE * _lasts(scale)))]
    at_rate(acme.port, told, calls, 10 * RATE, lines=48)
    return _judged(acme, database, f"storm of {10 * RATE:.0f}/s", told, scale)


def _judged(acme: House, database: str, name: str, told: Told, scale: float) -> Bar:
    took = acme.wait_until_empty()
    lost, wrong = acme.lost(told)
    late, worst = told.seconds(0.99), told.seconds(1)
    found = (
        f"{wrong}{told.failed} of {len(told.answers):,} not answered, {told.waits()}, {lost} lost, "
        f"caught up after {took:.0f} s"
    )
    met = not (wrong or told.failed or lost) and (scale < SHORT or (late < 1 and worst < 3 and took < 60))
    return Bar(f"rings: {name}", database, found, met)


@contextmanager
def small_disk(size_mb: int = 48) -> Iterator[Path]:
    """Mount a file system of a few megabytes, which only root may."""
    with tempfile.TemporaryDirectory(prefix="ringtrail-trust-disk-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0700", "tmpfs", folder]
        subprocess.run(mount, check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def family(postmaster: int) -> list[int]:
    """Return the processes of a PostgreSQL server."""
    found = [postmaster]
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = next(line for line in status.read_text().splitlines() if line.startswith("PPid:"))
        except (OSError, StopIteration):
            continue
        if int(parent.split()[1]) == postmaster:
            found.append(int(status.parent.name))
    return found
