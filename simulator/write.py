"""Writing a simulated market to files: the journey tables, who is behind them, and the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from simulator.chance import Integers
from simulator.desk import Calls
from simulator.market import World
from simulator.observe import Tables, calls_by_shard, observe, observe_background
from simulator.people import account_ids
from simulator.runs import SHARD, Job, Mapper, Told, counted, jobs, silent, through_desk
from simulator.tables import costs
from simulator.truth import LABELS, Truth

TABLES: Final = ("touches", "conversions", "answers", "calls", "visits", "costs", "accounts", "contacts")

Task = tuple[Job, Calls, Integers, int]


def _observe(task: Task) -> Tables:
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
    for piece in _pieces(world, spread):
        for name, table in piece.items():
            held[name].append(table)
    whole = {name: pa.concat_tables(parts) for name, parts in held.items()}
    whole["visits"] = _add_up(whole["visits"])
    return whole


def write(world: World, directory: Path, spread: Mapper, told: Told = silent) -> dict[str, int]:
    """Simulate a market and write what its tracker saw as Parquet files.

    Parameters
    ----------
    world : World
        What to run.
    directory : Path
        Where to write; made if need be. Files of the same names are replaced.
    spread : Mapper
        Where to run it. Files are the same to the byte whatever it is.
    told : callable, optional
        Is given the share done so far, 0 to 1; an exception that it raises stops the work.

    Returns
    -------
    dict of str to int
        Rows per table.

    Notes
    -----
    The scenario is written beside the tables as ``scenario.json``, with all its values.
    Companies are written shard by shard and not kept. Only the telephone desk's calls, some 100 bytes each,
    are held for the whole market at once.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "scenario.json").write_text(
        world.scenario.model_dump_json(indent=2) + "\n", encoding="utf-8"
    )
    watched = counted(spread, told, 2 * -(-world.accounts // SHARD))
    rows = dict.fromkeys(TABLES, 0)
    visits: list[pa.Table] = []
    with ExitStack() as stack:
        writers: dict[str, pq.ParquetWriter] = {}
        for piece in _pieces(world, watched):
            for name, table in piece.items():
                if name == "visits":
                    # Bounded by days and sources, not by companies, once added up.
                    visits = [_add_up(pa.concat_tables([*visits, table]))]
                    continue
                if name not in writers:
                    writer = pq.ParquetWriter(directory / f"{name}.parquet", table.schema)
                    writers[name] = stack.enter_context(writer)
                writers[name].write_table(table)
                rows[name] += table.num_rows
    pq.write_table(visits[0], directory / "visits.parquet")
    rows["visits"] = visits[0].num_rows
    return rows


def _pieces(world: World, spread: Mapper) -> Iterator[Tables]:
    reached, calls = through_desk(world, spread)
    limited = world.scenario.desk.reps > 0
    work = jobs(world, np.ones((1, len(world.campaigns))), reached if limited else None)
    # Cut out when a worker is free for it, so that the calls are not held twice.
    shards = calls_by_shard(calls, [len(taken_up[0]) for taken_up in reached])
    tasks = ((job, own, numbers, first) for job, (numbers, own, first) in zip(work, shards, strict=True))
    yield from spread(_observe, tasks)
    yield observe_background(world, calls)
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
