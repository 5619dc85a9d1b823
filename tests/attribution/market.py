"""A market of random journeys for comparisons: the same seed, the same market."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from attribution import CONVERSIONS, TOUCHES
from tests.attribution.journey import START

CHANNELS = ("call", "direct", "fair", "mail", "partner", "print", "search", "social")


@dataclass(frozen=True)
class Market:
    """Journeys as lists and as tables; hours are those of each touch, from the start."""

    paths: list[tuple[str, ...]]
    hours: list[list[int]]
    converted: list[bool]
    touches: pa.Table
    conversions: pa.Table


def market(journeys: int = 3000, seed: int = 7, value: int = 100_00) -> Market:
    rng = np.random.default_rng(seed)
    lengths = 1 + rng.geometric(0.3, journeys)
    pull = np.array([0.3, 0.2, 0.6, 0.2, 0.5, 0.1, 0.3, 0.15])
    paths, hours, converted = [], [], []
    for length in lengths:
        stations = rng.integers(0, len(CHANNELS), length)
        paths.append(tuple(CHANNELS[i] for i in stations))
        hours.append(sorted(rng.choice(2000, length, replace=False).tolist()))
        converted.append(bool(rng.random() < 1 - np.prod(1 - pull[stations] / 3)))
    start = int(START.timestamp() * 1e6)
    account = [f"account {i:05}" for i, path in enumerate(paths) for _ in path]
    channel = [name for path in paths for name in path]
    at = [start + hour * 3_600_000_000 for some in hours for hour in some]
    kinds = ["call"] * len(at)
    ids = [f"touch {i:06}" for i in range(len(at))]
    campaigns = [f"{name} {i % 2}" for i, name in enumerate(channel)]
    touches = pa.table(
        {
            "touch_id": ids,
            "account_id": account,
            "occurred_at": pa.array(at, TOUCHES.field("occurred_at").type),
            "campaign": campaigns,
            "channel": channel,
            "kind": kinds,
        }
    )
    won = [i for i, yes in enumerate(converted) if yes]
    conversions = pa.table(
        {
            "conversion_id": [f"order {i:05}" for i in won],
            "account_id": [f"account {i:05}" for i in won],
            "converted_at": pa.array(
                [start + hours[i][-1] * 3_600_000_000 for i in won], CONVERSIONS.field("converted_at").type
            ),
            "value_minor": pa.array([value] * len(won), pa.int64()),
            "currency": ["EUR"] * len(won),
        }
    )
    return Market(paths, hours, converted, touches, conversions)
