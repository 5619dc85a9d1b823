"""Journeys for the benchmarks, made by DuckDB: the same call, the same rows."""

from __future__ import annotations

from pathlib import Path

import duckdb

CHANNELS = ["call", "direct", "fair", "mail", "partner", "print", "search", "social"]
YEAR = 31_536_000
START = 1_735_689_600_000_000


def make(folder: Path, touches: int, accounts: int, conversions: int) -> tuple[Path, Path]:
    """Write touches of a year spread over the accounts; the first ones order once each at the year's end."""
    folder.mkdir(parents=True, exist_ok=True)
    size = f"{touches}-{accounts}-{conversions}"
    names = folder / f"touches-{size}.parquet", folder / f"conversions-{size}.parquet"
    if all(name.exists() for name in names):
        return names
    channels = ", ".join(f"'{name}'" for name in CHANNELS)
    with duckdb.connect(config={"memory_limit": "4GB", "temp_directory": str(folder / "spill")}) as database:
        database.execute("SET preserve_insertion_order = false")
        database.execute(f"""
            COPY (
                SELECT 't' || lpad(i::VARCHAR, 10, '0') AS touch_id,
                       'account ' || (hash(i) % {accounts})::VARCHAR AS account_id,
                       make_timestamptz({START} + (hash(i + 7) % {YEAR})::BIGINT * 1000000) AS occurred_at,
                       'campaign ' || (hash(i * 3) % 200)::VARCHAR AS campaign,
                       [{channels}][(1 + (hash(i * 3) % 200) % 8)::BIGINT] AS channel,
                       ['call', 'visit', 'form', 'message'][(1 + hash(i * 5) % 4)::BIGINT] AS kind
                FROM range({touches}) AS rows(i)
            ) TO '{names[0]}' (FORMAT parquet)""")
        database.execute(f"""
            COPY (
                SELECT 'order ' || i::VARCHAR AS conversion_id,
                       'account ' || i::VARCHAR AS account_id,
                       make_timestamptz({START} + {YEAR}::BIGINT * 1000000) AS converted_at,
                       (hash(i) % 10000000)::BIGINT AS value_minor,
                       ['EUR', 'SEK', 'JPY'][(1 + i % 3)::BIGINT] AS currency
                FROM range({conversions}) AS rows(i)
            ) TO '{names[1]}' (FORMAT parquet)""")
    return names
