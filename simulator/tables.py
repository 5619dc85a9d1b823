"""The rows of the journey tables: source numbers into names, seconds into moments, orders into sales."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution import CALLS, CONVERSIONS, COSTS, TOUCHES, VISITS
from simulator.chance import Flags, Integers
from simulator.cycle import Enquiries, Outcome
from simulator.desk import ABANDONED, ANSWERED, MISSED, VOICEMAIL, Calls
from simulator.directory import account_ids, contact_ids
from simulator.hazard import NEVER
from simulator.market import DAY, Shard, Week, World
from simulator.orders import Orders
from simulator.sources import OTHER_CAMPAIGNS, OTHER_CHANNELS
from simulator.truth import spend_minor

KINDS: Final = ("call", "visit", "form", "message", "event")
CALL, VISIT, FORM, MESSAGE, EVENT = range(5)
_STATUS: Final = {ANSWERED: "completed", MISSED: "missed", ABANDONED: "missed", VOICEMAIL: "voicemail"}


@dataclass(frozen=True)
class Touches:
    """Touches before they get names, one per position."""

    account: Integers  # company, or a random word for a caller nobody knows
    known: Flags
    person: Integers  # -1 if it cannot be told who in the company
    at: Integers  # wall-clock seconds
    source: Integers
    kind: Integers
    call: Integers  # number of the call, -1 for other kinds


def in_contract(columns: dict[str, pa.Array], schema: pa.Schema) -> pa.Table:
    """Build a table of the contract, leaving out the optional columns that are not given."""
    return pa.table(columns, schema=pa.schema([field for field in schema if field.name in columns]))


def gather(parts: Sequence[Touches]) -> Touches:
    """Put touches together in the order given."""
    return Touches(
        *(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Touches))
    )


def moments(world: World, wall: Integers) -> pa.Array:
    """Return wall-clock seconds since the start of the warm-up as moments in UTC; `NEVER` becomes null."""
    start = dt.datetime.combine(world.scenario.start, dt.time(), dt.UTC)
    begins = start - dt.timedelta(days=world.scenario.warmup_days, hours=world.scenario.utc_offset_hours)
    shift = round(begins.timestamp())
    seconds = np.where(wall < NEVER, wall + shift, 0) * 1_000_000
    return pa.array(seconds, pa.timestamp("us", "UTC"), mask=wall >= NEVER)


def labels(world: World) -> tuple[pa.Array, pa.Array]:
    """Return the names of campaigns and channels by source position."""
    scenario = world.scenario.campaigns
    return (
        pa.array([*scenario, *OTHER_CAMPAIGNS], pa.string()),
        pa.array([*(campaign.channel for campaign in scenario.values()), *OTHER_CHANNELS], pa.string()),
    )


def visit_table(world: World, seen: list[tuple[Integers, Integers]]) -> pa.Table:
    """Count visits, given as moments on the wall clock and sources, per day and source."""
    campaigns, channels = labels(world)
    at = np.concatenate([np.zeros(0, dtype=np.int64), *(part[0] for part in seen)])
    source = np.concatenate([np.zeros(0, dtype=np.int64), *(part[1] for part in seen)])
    grouped, visits = np.unique((at // DAY) * 4096 + source, return_counts=True)
    origin = world.scenario.start.toordinal() - dt.date(1970, 1, 1).toordinal() - world.scenario.warmup_days
    return in_contract(
        {
            "day": pa.array((grouped // 4096 + origin).astype(np.int32), pa.date32()),
            "campaign": campaigns.take(pa.array(grouped % 4096)),
            "channel": channels.take(pa.array(grouped % 4096)),
            "visits": pa.array(visits.astype(np.int64)),
        },
        VISITS,
    )


def _accounts_of(touches: Touches) -> pa.Array:
    strangers = pc.binary_join_element_wise("unknown", pc.cast(pa.array(touches.account), pa.string()), "-")
    return pc.if_else(pa.array(touches.known), account_ids(touches.account), strangers)


def call_table(
    world: World, touches: Touches, calls: Calls, rows: Integers, first: Flags, judged: Integers, spam: Flags
) -> pa.Table:
    """Write calls: `touches` has them as touches, `rows` says which of `calls` they are."""
    campaigns, channels = labels(world)
    source = pa.array(touches.source)
    nobody = pa.scalar(None, pa.string())
    statuses = pa.array([_STATUS[status] for status in range(4)])
    return in_contract(
        {
            "call_id": pc.binary_join_element_wise("c", pc.cast(pa.array(touches.call), pa.string()), ""),
            "account_id": pc.if_else(pa.array(touches.known), account_ids(touches.account), nobody),
            "started_at": moments(world, touches.at),
            "campaign": campaigns.take(source),
            "channel": channels.take(source),
            "status": statuses.take(pa.array(calls.status[rows])),
            "duration_s": pa.array(calls.wait_s[rows] + calls.talk_s[rows]),
            "talk_s": pa.array(calls.talk_s[rows]),
            "first_call": pa.array(first),
            "lead_status": pa.array([None, "good_lead", "not_a_lead"], pa.string()).take(pa.array(judged)),
            "spam": pa.array(spam),
        },
        CALLS,
    )


def touch_table(world: World, touches: Touches) -> pa.Table:
    """Write touches in the order of company and time."""
    order = np.lexsort(
        (touches.call, touches.source, touches.kind, touches.at, touches.account, ~touches.known)
    )
    touches = Touches(*(getattr(touches, column.name)[order] for column in fields(Touches)))
    campaigns, channels = labels(world)
    source = pa.array(touches.source)
    # Numbered within the company, so that an id does not depend on who else is in the shard.
    owner = np.where(touches.known, 0, 2**41) + touches.account
    within = np.arange(len(owner)) - np.searchsorted(owner, owner, side="left")
    named = pc.cast(pa.array(touches.account), pa.string())
    by_order = pc.binary_join_element_wise(
        pc.binary_join_element_wise("t", named, ""), pc.cast(pa.array(within), pa.string()), "-"
    )
    by_call = pc.binary_join_element_wise("tc", pc.cast(pa.array(touches.call), pa.string()), "")
    nobody = pa.scalar(None, pa.string())
    person = contact_ids(touches.account, np.maximum(touches.person, 0))
    return in_contract(
        {
            "touch_id": pc.if_else(pa.array(touches.call >= 0), by_call, by_order),
            "account_id": _accounts_of(touches),
            "contact_id": pc.if_else(pa.array(touches.known & (touches.person >= 0)), person, nobody),
            "occurred_at": moments(world, touches.at),
            "campaign": campaigns.take(source),
            "channel": channels.take(source),
            "kind": pa.array(KINDS).take(pa.array(touches.kind)),
        },
        TOUCHES,
    )


def conversions(
    shard: Shard, outcome: Outcome, orders: Orders, enquiries: Enquiries, heard: Integers
) -> pa.Table:
    """List leads, qualified leads, opportunities and orders inside the window."""
    world, needs = shard.world, shard.needs
    week = Week(world)

    def wall(at: Integers) -> Integers:
        known = at < NEVER
        return np.where(known, week.wall(np.where(known, at, 0)), NEVER)

    every = np.arange(len(needs), dtype=np.int64)
    idle = np.flatnonzero(enquiries.need < 0)
    none, nothing = np.zeros(len(idle), dtype=np.int64), np.zeros(len(needs), dtype=np.int64)
    lead, qualified, quote = wall(outcome.reached_at), wall(outcome.qualified_at), wall(outcome.quote_at)
    order_at, asked_at = wall(orders.at), wall(orders.asked_at)
    # A repeat order asked for by telephone is lead, qualified and quoted in one.
    rings = np.flatnonzero(orders.reorders.by_phone)
    theirs, again = orders.reorders.need[rings], orders.reorders.repeat[rings]
    rang = wall(orders.reorders.asked_at[rings])
    blank = np.zeros(len(rings), dtype=np.int64)
    # Goal, need, company, when, value, margin, how-manieth order of the need, and key where there is no need.
    parts = [
        ("lead", every, needs.account, lead, nothing, nothing, nothing, None),
        ("lead", idle, enquiries.account[idle], wall(heard[idle]), none, none, none, enquiries.key[idle]),
        ("qualified", every, needs.account, qualified, nothing, nothing, nothing, None),
        ("opportunity", every, needs.account, quote, nothing, nothing, nothing, None),
        *(
            (goal, theirs, needs.account[theirs], rang, blank, blank, again, None)
            for goal in ("lead", "qualified", "opportunity")
        ),
        (
            "won",
            orders.need,
            needs.account[orders.need],
            order_at,
            orders.value_minor,
            orders.margin_minor,
            orders.repeat,
            None,
        ),
    ]
    tables = []
    for goal, need, account, at, value, margin, repeat, idle_key in parts:
        rows = np.flatnonzero((at >= world.opens) & (at < world.closes))
        if idle_key is None:
            index, own = needs.index[need][rows], repeat[rows] == 0
            asked = (asked_at if goal == "won" else at)[rows]
            stages = [np.where(own, column[need[rows]], asked) for column in (lead, qualified, quote)]
        else:
            index = idle_key[rows]
            stages = [at[rows], np.full(len(rows), NEVER), np.full(len(rows), NEVER)]
        stages = [np.where(column <= at[rows], column, NEVER) for column in stages]
        words_ = (pc.cast(pa.array(column), pa.string()) for column in (account[rows], index, repeat[rows]))
        tables.append(
            in_contract(
                {
                    "conversion_id": pc.binary_join_element_wise(goal, *words_, "-"),
                    "account_id": account_ids(account[rows]),
                    "goal": pa.array([goal] * len(rows), pa.string()),
                    "converted_at": moments(world, at[rows]),
                    "value_minor": pa.array(value[rows]),
                    "currency": pa.array([world.scenario.currency] * len(rows), pa.string()),
                    "margin_minor": pa.array(margin[rows]),
                    "lead_at": moments(world, stages[0]),
                    "qualified_at": moments(world, stages[1]),
                    "opportunity_at": moments(world, stages[2]),
                },
                CONVERSIONS,
            )
        )
    return pa.concat_tables(tables)


def costs(world: World) -> pa.Table:
    """Spread what the campaigns cost over the calendar months of the window.

    Parameters
    ----------
    world : World
        Scenario, companies and days.

    Returns
    -------
    pyarrow.Table
        The ``costs`` table of the contract; amounts in minor units add up to `simulator.truth.spend_minor`.
    """
    rows: list[dict[str, object]] = []
    start = world.scenario.start
    for (name, campaign), spent in zip(world.scenario.campaigns.items(), spend_minor(world), strict=True):
        for amount, category in zip(spent, ("booking", "media"), strict=True):
            for begin, end in _months(start, start + dt.timedelta(days=world.days)):
                before, after = (begin - start).days, (end - start).days
                part = amount * after // world.days - amount * before // world.days
                if part:
                    rows.append(
                        {
                            "campaign": name,
                            "channel": campaign.channel,
                            "period_start": begin,
                            "period_end": end,
                            "amount_minor": part,
                            "currency": world.scenario.currency,
                            "category": category,
                            "direct": True,
                        }
                    )
    return pa.Table.from_pylist(rows, schema=COSTS)


def _months(start: dt.date, stop: dt.date) -> Iterator[tuple[dt.date, dt.date]]:
    while start < stop:
        following = (start.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        yield start, min(following, stop)
        start = following
