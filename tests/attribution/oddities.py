"""A small market with everything that engines can disagree about."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attribution import MODELS, Markov, Positions, TimeDecay, attribute
from attribution.journeys import KINDS
from attribution.sources import Source
from tests.attribution.journey import START
from tests.attribution.market import market

EVERY = [name for name in MODELS if name not in ("time-decay", "custom")]
SETTINGS = [
    TimeDecay(7),
    TimeDecay(90, label="time-decay 90"),
    Positions({"lead": 3, "qualified": 1, "last": 2}, middle=1, missing="spread", no_middle="equal"),
    Markov(order=2, label="markov 2"),
]


def oddities():
    """Unknown sources, ties, refunds, three currencies, milestones, buyers nobody tracked, answers."""
    some = market(250, seed=3)
    rng = np.random.default_rng(11)
    touches, conversions = some.touches, some.conversions
    unknown = pa.array(rng.random(touches.num_rows) < 0.1)
    for name in ("campaign", "channel"):
        column = pc.if_else(unknown, None, touches[name])
        touches = touches.set_column(touches.schema.get_field_index(name), name, column)
    kinds = pa.array([KINDS[i] for i in rng.integers(0, 4, touches.num_rows)])
    touches = touches.set_column(touches.schema.get_field_index("kind"), "kind", kinds)
    material = pa.array(
        [None if i == 0 else f"flyer {i}" for i in rng.integers(0, 4, touches.num_rows)], pa.string()
    )
    touches = touches.append_column("ad_material", material)
    days = touches["occurred_at"].to_pylist()
    tied = pa.array(
        [START + timedelta(days=(day - START).days // 20 * 20) for day in days], pa.timestamp("us", "UTC")
    )
    touches = touches.set_column(touches.schema.get_field_index("occurred_at"), "occurred_at", tied)
    n = conversions.num_rows
    value = pa.array(rng.integers(-1000, 10**6, n) * rng.integers(1, 10**9, n) // 10, pa.int64())
    currency = pa.array([("EUR", "JPY", "KWD")[i] for i in rng.integers(0, 3, n)])
    conversions = conversions.set_column(3, "value_minor", value).set_column(4, "currency", currency)
    for name in ("lead_at", "qualified_at", "opportunity_at"):
        moments = [None if i < 30 else START + timedelta(days=int(i)) for i in rng.integers(0, 100, n)]
        conversions = conversions.append_column(name, pa.array(moments, pa.timestamp("us", "UTC")))
    untracked = conversions.slice(0, 5)
    ids = pa.array([f"untracked {i}" for i in range(5)])
    untracked = untracked.set_column(0, "conversion_id", ids).set_column(1, "account_id", ids)
    conversions = pa.concat_tables([conversions, untracked])
    accounts = conversions["account_id"].to_pylist()[::2]
    channels = [("fair", "call", "colleague", "mail", None)[i] for i in rng.integers(0, 5, len(accounts))]
    answers = pa.table(
        {
            "answer_id": [f"answer {i}" for i in range(len(accounts))],
            "account_id": accounts,
            "asked_at": pa.array([START] * len(accounts), pa.timestamp("us", "UTC")),
            "outcome": ["answered" if name else "declined" for name in channels],
            "channel": pa.array(channels, pa.string()),
        }
    )
    return touches, conversions, answers


def run(world, engine, by="touch", models=(*EVERY, *SETTINGS), **options):
    touches, conversions, answers = world
    return attribute(touches, conversions, models, answers=answers, by=by, engine=engine, **options)


def assert_same(found, expected):
    """Compare to the row, and show the first row that differs."""
    assert found.schema == expected.schema
    assert found.num_rows == expected.num_rows
    if found.equals(expected):
        return
    pairs = zip(found.to_pylist(), expected.to_pylist(), strict=True)
    assert [pair for pair in pairs if pair[0] != pair[1]][:3] == []


def assert_reads_sound_files_itself(world, engine, folder, monkeypatch):
    """Rows of a file come into Python only to name a bad one."""
    files = [folder / "touches.parquet", folder / "conversions.parquet"]
    for table, file in zip(world, files, strict=False):
        pq.write_table(table, file)
    expected = run(world, engine, "campaign", models=["linear"])

    def refuse(source):
        raise AssertionError(f"the rows of the {source.name} were read to name a bad one")

    monkeypatch.setattr(Source, "name_the_row", refuse)
    assert_same(run([*files, *world[2:]], engine, "campaign", models=["linear"]), expected)
