"""What the tracker gets to see of a market, and nothing more: the journey tables.

Everything here is drawn under concerns of its own and read by nobody else, so a poorer tracker changes what
is known and never what happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution import ANSWERS
from simulator.call_center_run import ShardCalls
from simulator.chance import Flags, Floats, Integers, poisson, ragged, uniform, words
from simulator.cycle import MODES, PHONE, Enquiries, Outcome
from simulator.desk import ANSWERED, ENQUIRY, JUNK, Calls
from simulator.directory import account_ids, contact_ids, directory
from simulator.hazard import NEVER
from simulator.market import DAY, Shard, Week, World
from simulator.pool import NO_NUMBER
from simulator.regulars import observe_reorders
from simulator.runs import Job
from simulator.sources import (
    BRAND,
    COLLEAGUE,
    DIRECT,
    INTERNET,
    ORGANIC,
    Memory,
    arrive,
    pick,
    remember,
    source_names,
    tell,
)
from simulator.tables import (
    CALL,
    FORM,
    KINDS,
    MESSAGE,
    VISIT,
    Touches,
    call_table,
    conversions,
    gather,
    in_contract,
    labels,
    moments,
    touch_table,
    visit_table,
)

# A brand search follows the banner within this many days, evenly. Assumption.
_ECHO_DAYS: Final = 3.0

Tables = dict[str, pa.Table]


def observe(job: Job, shard_calls: ShardCalls) -> Tables:
    """Write down what the tracker saw of one shard.

    Parameters
    ----------
    job : Job
        The shard under the scenario's spend.
    shard_calls : ShardCalls
        What became of the shard's callers; the calls' numbers become their ids.

    Returns
    -------
    dict of str to pyarrow.Table
        ``touches``, ``conversions``, ``answers``, ``calls`` and ``visits`` of the journey contract, and the
        companies and people behind them as ``accounts`` and ``contacts``. Moments are UTC. Visits are counted
        per day, campaign and channel within the shard.

    Notes
    -----
    Callers nobody could identify get a company id of their own that never converts. A person is named only
    where the call did not show the company's switchboard.
    """
    (course,) = job.courses()
    full, orders = course.finish()
    cycle, enquiries, reached = course.cycle, course.enquiries, course.reached
    shard, world = cycle.shard, job.world
    active = cycle.active(course.scale)
    memory = remember(shard, active, enquiries)
    source = arrive(shard, enquiries, memory)
    phone, calls = enquiries.by_phone, shard_calls.calls
    main = len(world.campaigns) + DIRECT
    source[phone[shard_calls.site_callers - shard_calls.first]] = np.where(
        shard_calls.taken_for == NO_NUMBER, main, shard_calls.taken_for
    )
    heard = np.where(enquiries.need >= 0, reached[np.maximum(enquiries.need, 0)], enquiries.at)
    visits = _visits(shard, active, full)
    heard[phone[enquiries.need[phone] < 0]] = NEVER
    idle = np.flatnonzero(
        (calls.status == ANSWERED) & (enquiries.need[phone][calls.caller - shard_calls.first] < 0)
    )
    heard[phone[calls.caller[idle] - shard_calls.first]] = Week(world).activity(calls.at[idle])
    answered = _calls(shard, enquiries, source, phone, shard_calls, full)
    again, their_calls = observe_reorders(shard, orders.reorders)
    touches = gather([*visits.touches, _written(shard, enquiries, source), answered.touches, again])
    accounts, contacts = directory(shard)
    return {
        "touches": touch_table(world, touches),
        "conversions": conversions(shard, full, orders, enquiries, heard),
        "answers": _answers(shard, enquiries, memory, heard, answered.first_known),
        "calls": pa.concat_tables([answered.table, their_calls]),
        "visits": visits.table,
        "accounts": accounts,
        "contacts": contacts,
    }


@dataclass(frozen=True)
class _Visits:
    touches: list[Touches]
    table: pa.Table


def _visits(shard: Shard, active: Flags, outcome: Outcome) -> _Visits:
    """Turn meetings into clicks, badge scans and the like; add searches for the brand and the product."""
    world, seed, exposures, needs = shard.world, shard.world.seed, shard.exposures, shard.needs
    week, count = Week(world), len(world.campaigns)
    parts: list[Touches] = []
    seen: list[tuple[Integers, Integers]] = []

    def note(
        account: Integers, person: Integers, key: Integers, at: Integers, source: int, kind: int, name: str
    ) -> None:
        at = week.wall(at)
        inside = at < world.closes
        account, person, key, at = account[inside], person[inside], key[inside], at[inside]
        lost = uniform(seed, account, f"see.{name}.cookie", key) < world.scenario.observer.cookie_loss
        sources = np.full(len(account), source, dtype=np.int64)
        if kind == VISIT:
            seen.append((at, sources))
        rows = np.flatnonzero(~lost)
        kinds = np.full(len(rows), kind, dtype=np.int64)
        everyone = np.ones(len(rows), dtype=bool)
        parts.append(
            Touches(
                account[rows], everyone, person[rows], at[rows], sources[rows], kinds, np.full(len(rows), -1)
            )
        )

    for position, (name, campaign) in enumerate(world.scenario.campaigns.items()):
        rows = np.flatnonzero(active & (exposures.campaign == position))
        account, key = exposures.account[rows], exposures.key[rows]
        responds = uniform(seed, account, f"see.{name}", key) < campaign.response
        clicked = rows[responds]
        kind = KINDS.index(campaign.response_kind)
        note(
            account[responds],
            exposures.person[clicked],
            key[responds],
            exposures.at[clicked] + 1,
            position,
            kind,
            name,
        )
        if campaign.brand_echo:
            echoes = uniform(seed, account, f"see.{name}.echo", key) < campaign.brand_echo
            searched = rows[echoes]
            wait = uniform(seed, account[echoes], f"see.{name}.echo_wait", key[echoes]) * _ECHO_DAYS * DAY
            at = exposures.at[searched] + 1 + np.floor(wait).astype(np.int64)
            share = uniform(seed, account[echoes], f"see.{name}.brand.who", key[echoes])
            note(
                account[echoes],
                np.floor(share * shard.group[exposures.owner[searched]]).astype(np.int64),
                key[echoes],
                at,
                count + BRAND,
                VISIT,
                f"{name}.brand",
            )
    mean = world.scenario.observer.organic_visits
    owner, index = ragged(poisson(uniform(seed, needs.account, "see.organic.count", needs.index), mean))
    key = needs.index[owner] * 4096 + index
    span = needs.deadline[owner] - needs.onset[owner]
    share = uniform(seed, needs.account[owner], "see.organic.at", key)
    at = needs.onset[owner] + np.floor(span * share).astype(np.int64)
    open_still = at < outcome.ended_at[owner]
    who, key, at = owner[open_still], key[open_still], at[open_still]
    share = uniform(seed, needs.account[who], "see.organic.who", key)
    person = np.floor(share * shard.group[needs.owner[who]]).astype(np.int64)
    note(needs.account[who], person, key, at, count + ORGANIC, VISIT, "organic")
    return _Visits(parts, visit_table(world, seen))


def _written(shard: Shard, enquiries: Enquiries, source: Integers) -> Touches:
    """Turn enquiries by form and message into touches; those made in person leave none."""
    form, message = (enquiries.mode == MODES.index(mode) for mode in ("form", "message"))
    wall = Week(shard.world).wall(enquiries.at)
    rows = np.flatnonzero((form | message) & (wall < shard.world.closes))
    account = enquiries.account[rows]
    kind = np.where(form[rows], FORM, MESSAGE)
    everyone = np.ones(len(rows), dtype=bool)
    person = _caller(shard, enquiries, rows)
    return Touches(account, everyone, person, wall[rows], source[rows], kind, np.full(len(rows), -1))


def _caller(shard: Shard, enquiries: Enquiries, rows: Integers) -> Integers:
    account, key = enquiries.account[rows], enquiries.key[rows]
    group = shard.group[account - shard.accounts[0]]
    person: Integers = np.floor(uniform(shard.world.seed, account, "see.person", key) * group).astype(
        np.int64
    )
    return person


@dataclass(frozen=True)
class _Answered:
    touches: Touches
    table: pa.Table
    first_known: Integers  # per enquiry the number of its first reported call with a known company, or -1


def _calls(
    shard: Shard,
    enquiries: Enquiries,
    source: Integers,
    phone: Integers,
    shard_calls: ShardCalls,
    outcome: Outcome,
) -> _Answered:
    calls, numbers = shard_calls.calls, shard_calls.numbers
    world, observer = shard.world, shard.world.scenario.observer
    enquiry = phone[calls.caller - shard_calls.first]
    draw = _per_call(world, calls)
    reported = (draw("see.webhook") >= observer.lost_webhooks) & (calls.at < world.closes)
    hidden = draw("see.withheld") < observer.withheld
    # Whether the company is learnt in the talk presumes a talk.
    learnt = (draw("see.identified") < observer.identified) & (calls.status == ANSWERED)
    known = ~hidden | learnt
    board = draw("see.switchboard") < observer.switchboard
    person = np.where(board | hidden, -1, _caller(shard, enquiries, enquiry))
    stranger = words(world.seed, calls.account, "see.stranger", calls.key).astype(np.int64) & (2**40 - 1)
    need = enquiries.need[enquiry]
    qualified = (need >= 0) & (outcome.qualified_at[np.maximum(need, 0)] < NEVER)
    judged = np.where(calls.status != ANSWERED, 0, np.where(qualified, 1, 2))
    rows = np.flatnonzero(reported)
    first = np.zeros(len(rows), dtype=bool)
    sure = np.flatnonzero(known[rows])
    _, earliest = np.unique(calls.account[rows][sure], return_index=True)
    first[sure[earliest]] = True
    touches = Touches(
        np.where(known, calls.account, stranger)[rows],
        known[rows],
        person[rows],
        calls.at[rows],
        source[enquiry][rows],
        np.full(len(rows), CALL),
        numbers[rows],
    )
    first_known = np.full(len(enquiries.at), -1, dtype=np.int64)
    heard = rows[known[rows] & (calls.status[rows] == ANSWERED)][::-1]
    first_known[enquiry[heard]] = numbers[heard]
    spam = np.zeros(len(rows), dtype=bool)
    table = call_table(world, touches, calls, rows, first, judged[rows], spam)
    return _Answered(touches, table, first_known)


def _per_call(world: World, calls: Calls) -> Callable[[str], Floats]:
    slot = calls.key * 64 + calls.attempt + np.where(calls.purpose == ENQUIRY, 0, 32)
    return lambda concern: uniform(world.seed, calls.account, concern, slot)


def observe_background(world: World, calls: Calls, numbers: Integers) -> Tables:
    """Write down the calls of existing customers and of nobody in particular.

    Parameters
    ----------
    world : World
        Scenario, window and seed.
    calls : Calls
        Calls of customers and junk.
    numbers : ndarray of int64
        Their numbers in the whole world.

    Returns
    -------
    dict of str to pyarrow.Table
        ``touches`` and ``calls``. Customers dial the main number. Junk rings on any number; what is
        recognised is marked as spam and leaves no touch, the rest looks like a caller nobody knows.
    """
    observer, count = world.scenario.observer, len(world.campaigns)
    draw = _per_call(world, calls)
    reported = (draw("see.webhook") >= observer.lost_webhooks) & (calls.at < world.closes)
    junk = calls.purpose == JUNK
    spam = junk & (draw("see.junk") < observer.junk_marked)
    known = ~junk & (draw("see.withheld") >= observer.withheld)
    own = [i for i, campaign in enumerate(world.scenario.campaigns.values()) if campaign.number == "own"]
    dialled = np.array([*own, count + DIRECT], dtype=np.int64)
    dials = [source_names(world)[source] for source in dialled]
    random = dialled[pick(world.seed, calls.account, "see.dialled", calls.key, dials)]
    source = np.where(junk, random, count + DIRECT)
    stranger = words(world.seed, calls.account, "see.stranger", calls.key).astype(np.int64) & (2**40 - 1)
    rows = np.flatnonzero(reported)
    touches = Touches(
        np.where(known, calls.account, stranger)[rows],
        known[rows],
        np.full(len(rows), -1),
        calls.at[rows],
        source[rows],
        np.full(len(rows), CALL),
        numbers[rows],
    )
    none = np.zeros(len(rows), dtype=bool)
    judged = np.where(calls.status[rows] == ANSWERED, 2, 0)
    table = call_table(world, touches, calls, rows, none, judged, spam[rows])
    real = np.flatnonzero(~spam[rows])
    plain = Touches(*(getattr(touches, column.name)[real] for column in fields(Touches)))
    return {"touches": touch_table(world, plain), "calls": table}


def _answers(shard: Shard, enquiries: Enquiries, memory: Memory, heard: Integers, call: Integers) -> pa.Table:
    """List what reached callers were asked and said; a caller nobody identified leaves no answer."""
    world = shard.world
    rows = np.flatnonzero((heard < world.closes) & ((enquiries.mode != PHONE) | (call >= 0)))
    asked, declined, said = (column[rows] for column in tell(shard, enquiries, memory))
    campaigns, channels = labels(world)
    outcome = np.where(~asked, 1, np.where(declined, 2, np.where(said == -1, 3, 0)))
    spoke = outcome == 0
    named = spoke & (said >= 0)
    place = pa.array(np.where(named, said, 0))
    other = np.where(spoke & (said == INTERNET), 1, np.where(spoke & (said == COLLEAGUE), 2, 0))
    nobody = pa.scalar(None, pa.string())
    name = pc.if_else(pa.array(named), campaigns.take(place), nobody)
    loose = pa.array([None, "internet", "word of mouth"], pa.string()).take(pa.array(other))
    words_ = pa.array([None, "the internet", "a colleague"], pa.string()).take(pa.array(other))
    person = _caller(shard, enquiries, rows)
    account = enquiries.account[rows]
    key = pc.cast(pa.array(enquiries.key[rows]), pa.string())
    number = pc.binary_join_element_wise("c", pc.cast(pa.array(call[rows]), pa.string()), "")
    return in_contract(
        {
            "answer_id": pc.binary_join_element_wise(
                "answer", pc.cast(pa.array(account), pa.string()), key, "-"
            ),
            "account_id": account_ids(account),
            "contact_id": contact_ids(account, person),
            "asked_at": moments(world, Week(world).wall(heard[rows])),
            "outcome": pa.array(["answered", "not_asked", "declined", "unknown"]).take(pa.array(outcome)),
            "call_id": pc.if_else(pa.array(call[rows] >= 0), number, nobody),
            "campaign": name,
            "channel": pc.coalesce(pc.if_else(pa.array(named), channels.take(place), nobody), loose),
            "verbatim": pc.coalesce(words_, name),
        },
        ANSWERS,
    )
