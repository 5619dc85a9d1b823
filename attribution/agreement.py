"""Do buyers say what the tracker saw? Tracked touches against answers, by channel and by who asked."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.answers import Answers, SelfReported, pool, strata_of
from attribution.counts import UNKNOWN
from attribution.engine import identifiers
from attribution.feeders import opened
from attribution.paths import Journeys, Lookback
from attribution.sources import read_all


def agreement(
    touches: Any,
    conversions: Any,
    answers: Any,
    *,
    by: Literal["answer", "rep"] = "answer",
    lookback_days: Lookback = None,
    engine: Any = "duckdb",
) -> pa.Table:
    """Set the channel of the last tracked touch against the channel of the answer.

    Parameters
    ----------
    touches, conversions, answers : path, pyarrow.Table, pandas or polars frame
        The tables of the contract.
    by : {"answer", "rep"}, default "answer"
        ``"answer"``: tracked x answered. ``"rep"``: by who asked (the optional column ``rep`` of the
        answers) and tracked channel, with how many were asked at all.
    lookback_days, engine
        As in `attribution.attribute`.

    Returns
    -------
    pyarrow.Table
        ``by="answer"``: ``tracked``, ``answered`` (channels; null answered: no answer; ``(untracked)``: no
        touch) and ``conversions`` (int64). ``by="rep"``: ``rep``, ``tracked``, ``accounts`` (rows of
        answers, asked or not), ``asked``, ``answered``, ``agreed`` (int64), ``asked_rate`` (asked / rows)
        and ``agreed_rate`` (agreed / answered; null without answers).

    Raises
    ------
    JourneyError
        For input that breaks the contract.
    ValueError
        For an unknown `by`.

    Notes
    -----
    Agreement is not truth: buyer and tracker can both miss the trade paper that came first. Disagreement by
    rep points to how the question is asked; by channel, to what buyers remember.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from datetime import datetime, timezone
    >>> day = lambda d: datetime(2026, 3, d, tzinfo=timezone.utc)
    >>> touches = pa.table({"touch_id": ["t1"], "account_id": ["Borealis Foods"], "occurred_at": [day(1)],
    ...     "campaign": ["spring fair"], "channel": ["fair"], "kind": ["event"]})
    >>> won = pa.table({"conversion_id": ["c1"], "account_id": ["Borealis Foods"],
    ...     "converted_at": [day(20)], "value_minor": [1_000_00], "currency": ["EUR"]})
    >>> told = pa.table({"answer_id": ["a1"], "account_id": ["Borealis Foods"], "asked_at": [day(2)],
    ...     "outcome": ["answered"], "channel": ["colleague"]})
    >>> agreement(touches, won, told).to_pylist()
    [{'tracked': 'fair', 'answered': 'colleague', 'conversions': 1}]
    """
    if by not in ("answer", "rep"):
        raise ValueError(f"by is {by!r}; use 'answer' or 'rep'")
    sources, rows = _heard(touches, conversions, answers, "last channel", lookback_days, engine)
    if by == "rep":
        return _by_rep(rows, sources[2].rows())
    # A buyer who named a campaign alone did answer, though with no channel that can be compared.
    alone = pc.and_(pc.is_valid(rows["campaign"]), pc.is_null(rows["channel"]))
    channel = pc.if_else(alone, UNKNOWN, rows["channel"])
    rows = pa.table({"tracked": rows["stratum"], "answered": channel, "account_id": rows["account_id"]})
    counted = rows.group_by(["tracked", "answered"]).aggregate([("account_id", "count")])
    counted = counted.rename_columns({"account_id_count": "conversions"})
    return counted.sort_by([("tracked", "ascending"), ("answered", "ascending")])


def _heard(
    touches: Any, conversions: Any, answers: Any, strata: Any, lookback_days: Lookback, engine: Any
) -> tuple[Any, pa.Table]:
    """Give each conversion's account, stratum, and the campaign and channel of its answer."""
    sources = read_all(touches, conversions, answers)
    text = pa.string()
    fields = [("account_id", identifiers(sources)["account_id"]), ("stratum", text)]
    schema = pa.schema([*fields, ("campaign", text), ("channel", text), ("answered", pa.int64())])
    model = SelfReported(strata=strata)
    with opened(engine, sources, [model], lookback_days, []) as feeder:
        return sources, feeder.apply(partial(_answers, strata=strata, schema=schema), schema)


def _answers(journeys: Journeys, strata: str, schema: pa.Schema) -> pa.Table:
    (stratum, names), answers = strata_of(journeys, strata), Answers.of(journeys)
    named = [*answers.sources, (None, None)]
    place = pa.array(np.where(answers.source < 0, len(named) - 1, answers.source))
    columns = [
        journeys.name_accounts().take(pa.array(journeys.owner)),
        pa.array(names).take(pa.array(stratum % len(names))),
        pa.array([campaign for campaign, _ in named], pa.string()).take(place),
        pa.array([channel for _, channel in named], pa.string()).take(place),
        (answers.source >= 0).astype(np.int64),
    ]
    return pa.table(columns, schema=schema)


def _by_rep(told: pa.Table, rows: pa.Table) -> pa.Table:
    tracked = told.group_by("account_id").aggregate([("stratum", "min")])
    for name in ("rep", "channel"):
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
    rows = rows.select(["account_id", "rep", "channel", "outcome"]).join(tracked, "account_id")
    found = pc.fill_null(rows["stratum_min"], "(no conversion)")
    said = pc.equal(rows["outcome"], "answered")
    asked = pc.not_equal(rows["outcome"], "not_asked")
    agreed = pc.and_(said, pc.fill_null(pc.equal(rows["channel"], found), False))
    flags = {
        name: mask.cast(pa.int64())
        for name, mask in (("asked", asked), ("answered", said), ("agreed", agreed))
    }
    table = pa.table({"rep": rows["rep"], "tracked": found, **flags})
    counted = table.group_by(["rep", "tracked"]).aggregate(
        [([], "count_all"), *((name, "sum") for name in flags)]
    )
    counted = counted.rename_columns(["rep", "tracked", "accounts", *flags])
    some = pc.if_else(pc.equal(counted["answered"], 0), None, counted["answered"]).cast(pa.float64())
    asked_rate = pc.divide(counted["asked"].cast(pa.float64()), counted["accounts"].cast(pa.float64()))
    counted = counted.append_column("asked_rate", asked_rate)
    counted = counted.append_column("agreed_rate", pc.divide(counted["agreed"].cast(pa.float64()), some))
    return counted.sort_by([("rep", "ascending"), ("tracked", "ascending")])


def reported_intervals(
    touches: Any,
    conversions: Any,
    answers: Any,
    *,
    strata: Literal["last channel", "none"] = "last channel",
    level_z: float = 1.6448536269514722,
    lookback_days: Lookback = None,
    engine: Any = "duckdb",
) -> pa.Table:
    """Estimate how many conversions each reported source brought, the unasked ones included.

    Parameters
    ----------
    touches, conversions, answers : path, pyarrow.Table, pandas or polars frame
        The tables of the contract.
    strata : {"last channel", "none"}, default "last channel"
        As in ``SelfReported``.
    level_z : float, default 1.645
        Half-width of the interval in standard errors: 1.645 for 90 %, 1.96 for 95 %.
    lookback_days, engine
        As in `attribution.attribute`.

    Returns
    -------
    pyarrow.Table
        ``campaign``, ``channel``, ``answered`` (int64, conversions that named it), ``estimated``, ``low``
        and ``high`` (float64, of all conversions).

    Notes
    -----
    The interval covers which conversions happened to be answered, not why they were. If sales reps ask
    those who sound as if they came from the fair, no interval shows it. Strata without an answer borrow
    the answers of all.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from datetime import datetime, timezone
    >>> day = lambda d: datetime(2026, 3, d, tzinfo=timezone.utc)
    >>> names = [f"buyer {i}" for i in range(100)]
    >>> touches = pa.table({"touch_id": names, "account_id": names, "occurred_at": [day(1)] * 100,
    ...     "campaign": ["x"] * 100, "channel": ["call"] * 100, "kind": ["call"] * 100})
    >>> won = pa.table({"conversion_id": names, "account_id": names, "converted_at": [day(9)] * 100,
    ...     "value_minor": [100] * 100, "currency": ["EUR"] * 100})
    >>> told = pa.table({"answer_id": names[:50], "account_id": names[:50], "asked_at": [day(2)] * 50,
    ...     "outcome": ["answered"] * 50, "channel": ["fair"] * 20 + ["mail"] * 30})
    >>> [(row["channel"], row["estimated"]) for row in reported_intervals(touches, won, told).to_pylist()]
    [('fair', 40.0), ('mail', 60.0)]
    """
    _, rows = _heard(touches, conversions, answers, strata, lookback_days, engine)
    shares: dict[str, dict[tuple[str | None, str | None], int]] = {}
    unasked: dict[str, int] = {}
    for row in (
        rows.group_by(["stratum", "campaign", "channel", "answered"])
        .aggregate([([], "count_all")])
        .to_pylist()
    ):
        mine = shares.setdefault(row["stratum"], {})
        if row["answered"]:
            mine[row["campaign"], row["channel"]] = row["count_all"]
        else:
            unasked[row["stratum"]] = row["count_all"]
    pooled = pool(shares)
    found = []
    for source in sorted(pooled, key=lambda pair: tuple(part or "" for part in pair)):
        estimated, variance = float(pooled[source]), 0.0
        for stratum, answered in sorted(shares.items()):
            known, missing = answered or pooled, unasked.get(stratum, 0)
            asked = sum(known.values())
            estimated += missing * known.get(source, 0) / asked
            # Half an answer each way keeps a share of 0 or 1 from looking certain.
            share = (known.get(source, 0) + 0.5) / (asked + 1.0)
            variance += share * (1 - share) * (missing**2 / asked + missing)
        spread = level_z * float(np.sqrt(variance))
        low, high = max(float(pooled[source]), estimated - spread), estimated + spread
        found.append((*source, pooled[source], estimated, low, min(high, float(rows.num_rows))))
    names = ["campaign", "channel", "answered", "estimated", "low", "high"]
    kinds = [pa.string(), pa.string(), pa.int64(), pa.float64(), pa.float64(), pa.float64()]
    listed = [dict(zip(names, row, strict=True)) for row in found]
    return pa.Table.from_pylist(listed, pa.schema(list(zip(names, kinds, strict=True))))
