"""Writing a simulated market to files: the journey tables, who is behind them, and the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from simulator.call_center_run import ShardCalls, run_call_center
from simulator.directory import account_ids
from simulator.market import World
from simulator.observe import Tables, observe, observe_background
from simulator.runs import SHARD, Job, Mapper, OnProgress, counted, jobs, silent, with_quotes
from simulator.tables import costs
from simulator.truth import LABELS, Truth

TABLES: Final = ("touches", "conversions", "answers", "calls", "visits", "costs", "accounts", "contacts")

# Rows of a table that are gathered before they are written; a part of a file holds about as many.
_GATHERED: Final = 20_000


def _observe(task: tuple[Job, ShardCalls]) -> Tables:
    return observe(*task)


def tables(world: World, spread: Mapper) -> dict[str, pa.Table]:
    """Simulate a market and return what its tracker saw.

    Parameters
    ----------
    world : World
        What to run.
    spread : Mapper
        Where to run it.

    Returns
    -------
    dict of str to pyarrow.Table
        The tables of `TABLES`, whole and in memory; `write` keeps large markets on disk instead.
    """
    held: dict[str, list[pa.Table]] = {name: [] for name in TABLES}
    for piece in _pieces(world, spread, None):
        for name, table in piece.items():
            held[name].append(table)
    whole = {name: pa.concat_tables(parts) for name, parts in held.items()}
    whole["visits"] = _add_up(whole["visits"])
    return whole


def write(world: World, directory: Path, spread: Mapper, on_progress: OnProgress = silent) -> dict[str, int]:
    """Simulate a market and write what its tracker saw as Parquet files.

    Parameters
    ----------
    world : World
        What to run.
    directory : Path
        Where to write; made if need be. Files of the same names are replaced.
    spread : Mapper
        Where to run it. Files are the same to the byte whatever it is.
    on_progress : callable, optional
        Is given the share done so far, 0 to 1; an exception that it raises stops the work.

    Returns
    -------
    dict of str to int
        Rows per table.

    Notes
    -----
    The scenario is written beside the tables as ``scenario.json``, with all its values.
    Companies are written shard by shard and not kept, and calls pass the desk week by week, so that memory
    does not grow with the number of companies but for the calls of a week.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "scenario.json").write_text(
        world.scenario.model_dump_json(indent=2) + "\n", encoding="utf-8"
    )
    watched = counted(spread, on_progress, _results(world))
    with ExitStack() as stack:
        files = {name: stack.enter_context(_File(directory / f"{name}.parquet")) for name in TABLES}
        visits: list[pa.Table] = []
        for piece in _pieces(world, watched, directory):
            for name, table in piece.items():
                if name == "visits":
                    # Bounded by days and sources, not by companies, once added up.
                    visits = [_add_up(pa.concat_tables([*visits, table]))]
                else:
                    files[name].add(table)
        files["visits"].add(visits[0])
        return {name: file.rows for name, file in files.items()}


def _results(world: World) -> int:
    shards = -(-world.accounts // SHARD)
    return 2 * shards + (shards + 1 if world.scenario.sales.people else 0)


class _File:
    """A Parquet file written in parts of some size, however small the pieces are in which it comes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None
        self._held: list[pa.Table] = []
        self.rows = 0

    def __enter__(self) -> _File:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def add(self, table: pa.Table) -> None:
        self._held.append(table)
        self.rows += table.num_rows
        if sum(each.num_rows for each in self._held) >= _GATHERED:
            self._flush()

    def _flush(self) -> None:
        if not self._held:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, self._held[0].schema)
        self._writer.write_table(pa.concat_tables(self._held).combine_chunks())
        self._held = []


def _pieces(world: World, spread: Mapper, folder: Path | None) -> Iterator[Tables]:
    limited = world.scenario.desk.reps > 0
    with run_call_center(world, spread, folder) as answered:

        def tasks() -> Iterator[tuple[Job, ShardCalls]]:
            for shard, job in enumerate(jobs(world, np.ones((1, len(world.campaigns))))):
                own = answered.of_shard(shard)
                yield replace(job, reached=[own.reached] if limited else None), own

        if world.scenario.sales.people:
            # Quotes wait for those of other shards, so that all shards' calls are held together.
            held = list(tasks())
            quoted = with_quotes(world, [job for job, _ in held], spread)
            yield from spread(_observe, zip(quoted, (own for _, own in held), strict=True))
        else:
            yield from spread(_observe, tasks())
        for calls, numbers in answered.background():
            yield observe_background(world, calls, numbers)
    yield {"costs": costs(world)}


def write_truth(world: World, truth: Truth, directory: Path) -> None:
    """Write `truth.json`, and `truth_deals.parquet` with a label per deal and campaign."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(truth.report, indent=2, ensure_ascii=False) + "\n"
    (directory / "truth.json").write_text(text, encoding="utf-8")
    account, need = truth.deals[:, 0], truth.deals[:, 1]
    parts = (pc.cast(pa.array(column), pa.string()) for column in (account, need, np.zeros_like(need)))
    columns = {
        "conversion_id": pc.binary_join_element_wise("won", *parts, "-"),
        "account_id": account_ids(account),
    }
    names = pa.array(LABELS)
    for position, campaign in enumerate(world.campaigns):
        columns[campaign] = names.take(pa.array(truth.deals[:, 2 + position]))
    pq.write_table(pa.table(columns), directory / "truth_deals.parquet")


def _add_up(visits: pa.Table) -> pa.Table:
    grouped = visits.group_by(["day", "campaign", "channel"], use_threads=False).aggregate(
        [("visits", "sum")]
    )
    ordered = grouped.sort_by([("day", "ascending"), ("campaign", "ascending")])
    return ordered.rename_columns(["day", "campaign", "channel", "visits"]).cast(visits.schema)
