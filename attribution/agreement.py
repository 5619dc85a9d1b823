"""Do buyers say what the tracker saw? Tracked touches against answers, by channel and by who asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.answers import SelfReported, answers_by_stratum, pool, strata_of
from attribution.counts import UNKNOWN, figures, parted
from attribution.engine import identifiers
from attribution.feeders import opened
from attribution.paths import Journeys, Lookback, moments, numbered_accounts, taken, until
from attribution.shares import counted
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
    if by == "rep":
        return _by_rep(touches, conversions, answers, lookback_days, engine)
    counts = _counts(touches, conversions, answers, "last channel", lookback_days, engine)
    found: Counter[tuple[str, str | None]] = Counter()
    for key, times in zip(counts["key"].to_pylist(), counts["times"].to_pylist(), strict=True):
        tracked, campaign, channel = parted(key)
        # A buyer who named a campaign alone did answer, though with no channel that can be compared.
        found[tracked, channel or (UNKNOWN if campaign else None)] += times
    rows = [(*pair, times) for pair, times in found.items()]
    kinds = {"tracked": pa.string(), "answered": pa.string(), "conversions": pa.int64()}
    return _table(rows, kinds).sort_by([("tracked", "ascending"), ("answered", "ascending")])


def _counts(
    touches: Any, conversions: Any, answers: Any, strata: Any, lookback_days: Lookback, engine: Any
) -> pa.Table:
    """Count conversions by stratum and source named."""
    model = SelfReported(strata=strata)
    options: dict[str, Any] = {"lookback_days": lookback_days, "answers": answers, "engine": engine}
    return counted(touches, conversions, [model], **options)


def _table(rows: Sequence[tuple[Any, ...]], kinds: Mapping[str, pa.DataType]) -> pa.Table:
    return pa.Table.from_pylist(
        [dict(zip(kinds, row, strict=True)) for row in rows], pa.schema(kinds.items())
    )


def _last_channels(journeys: Journeys, schema: pa.Schema) -> pa.Table:
    stratum, names = strata_of(journeys, "last channel")
    account = journeys.account_ids(journeys.owner)
    # What no touch precedes is numbered -1, and its name stands last.
    return pa.table([account, taken(list(names), stratum % len(names))], schema=schema)


def _by_rep(touches: Any, conversions: Any, answers: Any, lookback_days: Lookback, engine: Any) -> pa.Table:
    sources = read_all(touches, conversions, answers)
    schema = pa.schema([("account_id", identifiers(sources)["account_id"]), ("stratum", pa.string())])
    with opened(engine, sources, [SelfReported()], lookback_days, []) as feeder:
        told = feeder.apply(partial(_last_channels, schema=schema), schema)
    tracked, rows = told.group_by("account_id").aggregate([("stratum", "min")]), sources[2].rows()
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


COMPARED = pa.schema(
    [
        pa.field("answer_id", pa.string()),
        pa.field("account_id", pa.string()),
        pa.field("asked_at", pa.timestamp("us", "UTC")),
        pa.field("rep", pa.string()),
        pa.field("outcome", pa.string()),
        pa.field("tracked_campaign", pa.string()),
        pa.field("tracked", pa.string()),
        pa.field("campaign", pa.string()),
        pa.field("answered", pa.string()),
        pa.field("agreed", pa.bool_()),
    ]
)
"""What `compared` returns."""


def compared(touches: pa.Table, answers: pa.Table, calls: pa.Table | None = None) -> pa.Table:
    """Set beside each asking what was tracked at that moment.

    Parameters
    ----------
    touches, answers, calls : pyarrow.Table
        The tables of the contract, with all columns of the answers; identifiers as numbers or text. With
        `calls`, what was tracked of an answer given in a call is what that call came by, even where
        other touches came between the call and its answer.

    Returns
    -------
    pyarrow.Table
        `COMPARED`: one row per answer, in its order. ``tracked`` and ``tracked_campaign`` are of its call,
        otherwise of the account's last touch at or before the moment of asking; null where there is none or
        its source is unknown. ``agreed`` is true where campaign or channel are the same, false where
        both name something else, null where either says nothing.

    Notes
    -----
    Agreement is not truth: the buyer may remember what came first, and the tracker sees what came last.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> day = lambda d: datetime(2026, 3, d, tzinfo=timezone.utc)
    >>> touches = pa.table({"touch_id": ["t1"], "account_id": ["Borealis Foods"], "occurred_at": [day(1)],
    ...     "campaign": ["Ads"], "channel": ["search"], "kind": ["visit"]})
    >>> told = pa.table({"answer_id": ["a1"], "account_id": ["Borealis Foods"], "asked_at": [day(2)],
    ...     "outcome": ["answered"], "campaign": [None], "channel": ["fair"], "rep": ["Ann"],
    ...     "call_id": [None]})
    >>> row = compared(touches, told).to_pylist()[0]
    >>> row["tracked"], row["answered"], row["agreed"]
    ('search', 'fair', False)
    """
    place = _last_before(touches, answers)
    seen = {
        name: touches[name].combine_chunks().take(place).cast(pa.string()) for name in ("campaign", "channel")
    }
    if calls is not None:
        known = pc.index_in(answers["call_id"].cast(pa.string()), calls["call_id"].cast(pa.string()))
        at_call = pc.is_valid(known)
        for name in seen:
            of_call = calls[name].combine_chunks().take(known.combine_chunks()).cast(pa.string())
            seen[name] = pc.if_else(at_call.combine_chunks(), of_call, seen[name])
    campaign, channel = (answers[name].cast(pa.string()) for name in ("campaign", "channel"))
    same = pc.or_(
        pc.fill_null(pc.equal(campaign, seen["campaign"]), False),
        pc.fill_null(pc.equal(channel, seen["channel"]), False),
    )
    both = pc.and_(
        pc.or_(pc.is_valid(seen["campaign"]), pc.is_valid(seen["channel"])),
        pc.or_(pc.is_valid(campaign), pc.is_valid(channel)),
    )
    columns = {name: answers[name] for name in ("answer_id", "account_id", "asked_at", "rep", "outcome")}
    columns |= {"tracked_campaign": seen["campaign"], "tracked": seen["channel"]}
    columns |= {"campaign": campaign, "answered": channel, "agreed": pc.if_else(both, same, None)}
    return pa.table({name: columns[name].cast(COMPARED.field(name).type) for name in COMPARED.names})


def _last_before(touches: pa.Table, answers: pa.Table) -> pa.Array:
    """Return for each answer the place of its account's last touch at or before it; null where none is."""
    columns = [table["account_id"].cast(pa.string()) for table in (touches, answers)]
    (account, asked), names = numbered_accounts(columns)
    at = moments(touches["occurred_at"])
    order, end = np.lexsort((at, account)), np.cumsum(np.bincount(account, minlength=len(names)))
    start = np.append(0, end)[asked]
    place = until(at[order], start, end[asked], moments(answers["asked_at"]))
    return pa.array(np.append(order, 0)[place - 1], mask=place == start)


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
    counts = _counts(touches, conversions, answers, strata, lookback_days, engine)
    shares, (times, _, lost) = answers_by_stratum(counts), figures(counts)
    silent = zip(counts["key"].to_pylist(), lost.tolist(), strict=True)
    unasked = {parted(key)[0]: without for key, without in silent if without}
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
        found.append((*source, pooled[source], estimated, low, min(high, float(times.sum()))))
    real = dict.fromkeys(("estimated", "low", "high"), pa.float64())
    return _table(found, {"campaign": pa.string(), "channel": pa.string(), "answered": pa.int64(), **real})
