"""The telephone desk: lines, people, opening hours, patience, messages, call-backs and second tries.

Here companies meet: one caller's talk is another's engaged tone. So this part is a discrete-event simulation
(SimPy) of all calls together, on the wall clock. Whatever a caller does by chance is keyed by the call, so a
campaign taken away changes the others' calls only by leaving them a free line.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import simpy

from simulator.chance import Floats, Integers, exponential, lognormal, poisson, ragged, uniform, uniform_one
from simulator.hazard import NEVER
from simulator.market import DAY, Week, World
from simulator.parameters import Desk

CALL_STATUSES: Final = ("answered", "missed", "abandoned", "voicemail")
ANSWERED, MISSED, ABANDONED, VOICEMAIL = range(4)
PURPOSES: Final = ("enquiry", "follow-up", "customer", "junk")
ENQUIRY, FOLLOW_UP, CUSTOMER, JUNK = range(4)

# Room in a call's key for 32 attempts and 32 follow-ups.
_KEYS: Final = 64
_FOLLOW_KEY: Final = 32
# A rep returns messages this long after opening. Assumption; it only orders events within the morning.
_RETURN_S: Final = 600


@dataclass(frozen=True)
class Callers:
    """Enquiries by telephone, one per position, in wall-clock seconds since the start of the warm-up.

    Attributes
    ----------
    account, key : ndarray of int64
        Who calls, and which of the company's enquiries it is.
    at : ndarray of int64
        Moment of the first try.
    follow_owner, follow_after : ndarray of int64
        For each further call the position of its enquiry and its distance from the answered one in seconds of
        activity time.
    """

    account: Integers
    key: Integers
    at: Integers
    follow_owner: Integers
    follow_after: Integers


@dataclass(frozen=True)
class Calls:
    """Every call that rang, one per position, in order of time."""

    caller: Integers  # position in Callers, -1 for customers and junk
    account: Integers  # negative for junk
    key: Integers
    purpose: Integers  # position in PURPOSES
    attempt: Integers  # 0 for the first try, or the number of the follow-up
    at: Integers  # wall-clock seconds
    status: Integers  # position in CALL_STATUSES
    wait_s: Integers
    talk_s: Integers


@dataclass(slots=True)
class _Call:
    caller: int
    account: int
    key: int
    purpose: int
    attempt: int
    talk_s: int  # how long it will talk if answered; drawn beforehand, all calls at once, which is quicker
    at: int = 0
    gone: bool = False


@dataclass
class _Log:
    rows: list[tuple[int, int, int, int, int, int, int, int, int]] = field(default_factory=list)

    def add(self, call: _Call, status: int, wait: int, talk: int) -> None:
        self.rows.append(
            (call.caller, call.account, call.key, call.purpose, call.attempt, call.at, status, wait, talk)
        )


class _Hours:
    """When the desk is open, in wall-clock seconds."""

    def __init__(self, world: World) -> None:
        desk = world.scenario.desk
        first = world.scenario.start.toordinal() - world.scenario.warmup_days
        days = world.ends // DAY + 400
        shut = {day.toordinal() for day in desk.holidays}
        self._opens: list[int] = []
        self._next: list[int] = []
        for day in range(days):
            works = (first + day - 1) % 7 in desk.open_days and first + day not in shut
            self._opens.append(day * DAY + round(desk.open_hour * 3600) if works else -1)
        self._span = round((desk.close_hour - desk.open_hour) * 3600)
        coming = days * DAY
        for day in reversed(range(days)):
            self._next.append(coming)
            coming = self._opens[day] if self._opens[day] >= 0 else coming
        self._next.reverse()

    def is_open(self, now: int) -> bool:
        opens = self._opens[now // DAY]
        return 0 <= opens <= now < opens + self._span

    def next_opening(self, now: int) -> int:
        """Return the first opening after `now`; if it is open now, that of the next working day."""
        opens = self._opens[now // DAY]
        return opens if opens > now else self._next[now // DAY]


class _Floor:
    """The room with the telephones: who talks, who waits, who gives up."""

    def __init__(self, world: World, callers: Callers, week: Week) -> None:
        self.desk = world.scenario.desk
        self.seed, self.ends = world.seed, world.ends
        self.env = simpy.Environment()
        self.hours, self.log = _Hours(world), _Log()
        self.reached = [int(NEVER)] * len(callers.account)
        self._week = week
        self._follow: dict[int, list[int]] = {}
        for owner, after in zip(callers.follow_owner.tolist(), callers.follow_after.tolist(), strict=True):
            self._follow.setdefault(owner, []).append(after)
        self._talking = 0
        self._waiting: deque[_Call] = deque()
        self._queued = 0

    def draw(self, call: _Call, concern: str) -> float:
        slot = call.attempt + (_FOLLOW_KEY if call.purpose == FOLLOW_UP else 0)
        return uniform_one(self.seed, call.account, concern, call.key * _KEYS + slot)

    def later(self, seconds: float, action: Callable[[_Call], None], call: _Call) -> None:
        # A plain timeout with a callback costs less than half of a process of its own.
        event = self.env.timeout(max(0, math.ceil(seconds)))
        assert event.callbacks is not None
        event.callbacks.append(lambda _: action(call))

    def waking(self, seconds: float) -> float:
        """Return the distance on the wall clock of a moment so many seconds of activity time away."""
        now = int(self.env.now)
        active = self._week.activity(np.array([now], dtype=np.int64)) + math.ceil(seconds)
        return float(self._week.wall(active)[0] - now)

    def arrivals(self, calls: list[tuple[int, _Call]]) -> Generator[simpy.Event, Any, None]:
        for at, call in calls:
            if at > self.env.now:
                yield self.env.timeout(at - self.env.now)
            self.ring(call)

    def ring(self, call: _Call) -> None:
        call.at = int(self.env.now)
        if call.at >= self.ends:
            return
        if not self.hours.is_open(call.at) or self._talking + self._queued >= self.desk.lines:
            self.unanswered(call, MISSED, 0)
        elif self._talking < self.desk.reps:
            self.talk(call)
        else:
            self._waiting.append(call)
            self._queued += 1
            self.later(
                -math.log1p(-self.draw(call, "desk.patience")) * self.desk.patience_s, self.give_up, call
            )

    def give_up(self, call: _Call) -> None:
        # Someone who has meanwhile been answered has left the queue and is marked so.
        if not call.gone:
            call.gone = True
            self._queued -= 1
            self.unanswered(call, ABANDONED, int(self.env.now) - call.at)

    def talk(self, call: _Call) -> None:
        call.gone = True
        self._talking += 1
        talk = call.talk_s
        now = int(self.env.now)
        self.log.add(call, ANSWERED, now - call.at, talk)
        self.take_up(call, now)
        self.later(talk, self.hang_up, call)

    def hang_up(self, _call: _Call) -> None:
        self._talking -= 1
        while self._waiting:
            following = self._waiting.popleft()
            if not following.gone:
                self._queued -= 1
                self.talk(following)
                return

    def take_up(self, call: _Call, now: int) -> None:
        if call.purpose != ENQUIRY or self.reached[call.caller] < NEVER:
            return
        self.reached[call.caller] = now
        for number, after in enumerate(self._follow.get(call.caller, ())[:_FOLLOW_KEY]):
            self.later(self.waking(after), self.ring, self.another(call, FOLLOW_UP, number))

    def another(self, call: _Call, purpose: int, attempt: int) -> _Call:
        again = _Call(call.caller, call.account, call.key, purpose, attempt, 0)
        again.talk_s = int(_talk(self.desk, np.array([self.draw(again, "desk.talk")]))[0])
        return again

    def unanswered(self, call: _Call, status: int, waited: int) -> None:
        leaves = call.purpose != JUNK and self.draw(call, "desk.voicemail") < self.desk.voicemail
        self.log.add(call, VOICEMAIL if leaves else status, waited, 0)
        if call.purpose != ENQUIRY:
            return
        now = int(self.env.now)
        if leaves and self.draw(call, "desk.call_back") < self.desk.call_back:
            self.later(self.hours.next_opening(now) + _RETURN_S - now, self.returned, call)
        elif call.attempt + 1 < self.desk.attempts and self.draw(call, "desk.retry") < self.desk.retry:
            wait = -math.log1p(-self.draw(call, "desk.retry_wait")) * self.desk.retry_hours * 3600
            self.later(self.waking(wait), self.ring, self.another(call, ENQUIRY, call.attempt + 1))

    def returned(self, call: _Call) -> None:
        self.take_up(call, int(self.env.now))


def answer(world: World, callers: Callers, *, background: bool = True) -> tuple[Integers, Calls]:
    """Put all calls of a world through the desk.

    Parameters
    ----------
    world : World
        Its scenario's `desk` says who answers when. With ``reps = 0`` everyone is answered at once, day and
        night.
    callers : Callers
        Enquiries by telephone.
    background : bool, default True
        Whether existing customers and junk callers ring as well.

    Returns
    -------
    reached : ndarray of int64
        Per enquiry the wall-clock second at which somebody spoke with the caller, `NEVER` if nobody did.
    calls : Calls
        Every call, in order of time.

    Notes
    -----
    Call-backs to people who left a message are made between other calls and hold no line. The queue present
    at closing time is still served.

    References
    ----------
    .. [1] Erlang's loss and delay formulas; `simulator.erlang` has both and the tests compare this desk with
    them.
    """
    others = _background(world) if background else np.zeros((0, 5), dtype=np.int64)
    desk = world.scenario.desk
    if desk.reps == 0:
        return callers.at.copy(), _all_answered(world, callers, others)
    talk = _talk(desk, uniform(world.seed, callers.account, "desk.talk", callers.key * _KEYS))
    columns = (callers.account.tolist(), callers.key.tolist(), callers.at.tolist(), talk.tolist())
    arrivals = [
        (at, _Call(position, account, key, ENQUIRY, 0, seconds))
        for position, (account, key, at, seconds) in enumerate(zip(*columns, strict=True))
    ]
    arrivals += [
        (at, _Call(-1, account, key, purpose, 0, seconds))
        for account, key, purpose, at, seconds in others.tolist()
    ]
    # Calls of the same second ring in the order of their keys: ties must not hang on how the table was built.
    arrivals.sort(key=lambda item: (item[0], item[1].account, item[1].key))
    floor = _Floor(world, callers, Week(world))
    floor.env.process(floor.arrivals(arrivals))
    floor.env.run(until=world.ends + 60 * DAY)
    return np.array(floor.reached, dtype=np.int64), _table(floor.log.rows)


def _background(world: World) -> Integers:
    """Lay out the calls of customers and junk: columns account, key, purpose, moment, seconds of talk."""
    week, seed = Week(world), world.seed
    days = np.arange(world.closes // DAY, dtype=np.int64)
    parts = [np.zeros((0, 5), dtype=np.int64)]
    for purpose, name, rate in (
        (CUSTOMER, "customer", world.scenario.desk.customer_calls_per_day * world.accounts / 1000),
        (JUNK, "junk", world.scenario.desk.junk_per_day),
    ):
        day, index = ragged(poisson(uniform(seed, days, f"desk.{name}.count"), rate))
        share = uniform(seed, day, f"desk.{name}.at", index)
        at = week.wall(day * DAY + np.floor(share * DAY).astype(np.int64))
        customer = np.floor(uniform(seed, day, f"desk.{name}.who", index) * world.accounts).astype(np.int64)
        account = customer if purpose == CUSTOMER else -1 - day
        # Keys below any enquiry's: a customer's call must not share draws with the same company's enquiry.
        key = -(2**40) - day * 2**20 - index
        talk = _talk(world.scenario.desk, uniform(seed, account, "desk.talk", key * _KEYS))
        parts.append(np.column_stack((account, key, np.full(len(day), purpose), at, talk)))
    return np.concatenate(parts)


def _all_answered(world: World, callers: Callers, background: Integers) -> Calls:
    count, more = len(callers.account), len(callers.follow_owner)
    owner = callers.follow_owner
    starts = np.searchsorted(owner, owner, side="left") if more else owner
    number = np.arange(more) - starts
    caller = np.concatenate((np.arange(count), owner, np.full(len(background), -1)))
    account = np.concatenate((callers.account, callers.account[owner], background[:, 0]))
    key = np.concatenate((callers.key, callers.key[owner], background[:, 1]))
    purpose = np.concatenate((np.full(count, ENQUIRY), np.full(more, FOLLOW_UP), background[:, 2]))
    attempt = np.concatenate(
        (np.zeros(count, dtype=np.int64), number, np.zeros(len(background), dtype=np.int64))
    )
    week = Week(world)
    further = week.wall(week.activity(callers.at[owner]) + callers.follow_after)
    at = np.concatenate((callers.at, further, background[:, 3]))
    slot = key * _KEYS + attempt + np.where(purpose == FOLLOW_UP, _FOLLOW_KEY, 0)
    desk: Desk = world.scenario.desk
    talk = _talk(desk, uniform(world.seed, account, "desk.talk", slot))
    rows = np.flatnonzero(at < world.ends)
    rows = rows[np.lexsort((key[rows], account[rows], at[rows]))]
    none = np.zeros(len(rows), dtype=np.int64)
    caller, account, key, purpose, attempt, at = (
        c[rows] for c in (caller, account, key, purpose, attempt, at)
    )
    return Calls(caller, account, key, purpose, attempt, at, none + ANSWERED, none, talk[rows])


def _talk(desk: Desk, share: Floats) -> Integers:
    if desk.talk_law == "exponential":
        seconds = exponential(share) * desk.talk_s
    else:
        seconds = lognormal(share, desk.talk_s, desk.talk_sigma)
    return np.maximum(1, np.rint(seconds)).astype(np.int64)


def _table(rows: list[tuple[int, int, int, int, int, int, int, int, int]]) -> Calls:
    table = np.array(rows, dtype=np.int64).reshape(-1, 9)
    # Logged when decided, wanted when rung.
    table = table[np.lexsort((table[:, 4], table[:, 2], table[:, 1], table[:, 5]))]
    return Calls(*(np.ascontiguousarray(column) for column in table.T))
