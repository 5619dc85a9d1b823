"""The telephone desk: lines, people, opening hours, patience, messages, call-backs and second tries.

Here companies meet: one caller's talk is another's engaged tone. So this part is a discrete-event simulation
(SimPy) of all calls together, on the wall clock. Whatever a caller does by chance is keyed by the call, so a
campaign taken away changes the others' calls only by leaving them a free line.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from simulator.chance import Floats, Integers, exponential, lognormal, poisson, ragged, uniform, uniform_one
from simulator.hazard import NEVER
from simulator.market import DAY, Week, World
from simulator.opening import Hours
from simulator.parameters import Desk

if TYPE_CHECKING:
    from simpy import Event

CALL_STATUSES: Final = ("answered", "missed", "abandoned", "voicemail")
ANSWERED, MISSED, ABANDONED, VOICEMAIL = range(4)
PURPOSES: Final = ("enquiry", "follow-up", "customer", "junk")
ENQUIRY, FOLLOW_UP, CUSTOMER, JUNK = range(4)

# Room in a call's key for 32 attempts and 32 follow-ups.
_KEYS: Final = 64
_FOLLOW_KEY: Final = 32
# A rep returns messages this long after opening. Assumption; it only orders events within the morning.
_RETURN_S: Final = 600
_NEVER: Final = int(NEVER)


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
    """Calls that rang, one per position."""

    caller: Integers  # number of the caller in the whole world, -1 for customers and junk
    account: Integers  # negative for junk
    key: Integers
    purpose: Integers  # position in PURPOSES
    attempt: Integers  # 0 for the first try, or the number of the follow-up
    at: Integers  # wall-clock seconds
    status: Integers  # position in CALL_STATUSES
    wait_s: Integers
    talk_s: Integers
    taken_up: Integers  # second at which this call, or the call-back to it, took the enquiry up, or NEVER

    @staticmethod
    def of(rows: Integers) -> Calls:
        """Return calls from rows, one column per attribute."""
        return Calls(*(np.ascontiguousarray(column) for column in rows.T))

    def rows(self) -> Integers:
        """Return the calls as rows, one column per attribute."""
        return np.column_stack([getattr(self, column.name) for column in fields(self)])

    def in_order(self) -> Calls:
        """Return the calls in the order of time, and those of one second in that of their keys."""
        order = np.lexsort((self.attempt, self.key, self.account, self.at))
        return Calls(*(getattr(self, column.name)[order] for column in fields(self)))


@dataclass(slots=True)
class _Call:
    caller: int
    account: int
    key: int
    purpose: int
    attempt: int
    talk_s: Sequence[int]  # how long this try will talk if answered, and each further one
    follow: Sequence[tuple[int, int]] = ()  # seconds of activity until ringing again, and of talk then
    at: int = 0
    gone: bool = False


_NO_CALLS: Final = Calls.of(np.zeros((0, 10), dtype=np.int64))


def _call_of(event: Event) -> _Call:
    call = event.value
    assert isinstance(call, _Call)
    return call


class _Floor:
    """The room with the telephones: who talks, who waits, who gives up."""

    def __init__(self, world: World) -> None:
        # Only a desk of limited size needs it.
        from simpy import Environment

        self.desk = world.scenario.desk
        self.seed, self.ends = world.seed, world.ends
        self.env = Environment()
        self.hours = Hours(world)
        self._log: list[tuple[int, ...]] = []
        self._week = Week(world)
        self._talking = 0
        self._waiting: deque[_Call] = deque()
        self._queued = 0

    def settled(self) -> Calls:
        """Hand out the calls before which nothing can be decided any more, in order."""
        flat = np.fromiter(chain.from_iterable(self._log), dtype=np.int64, count=10 * len(self._log))
        table = flat.reshape(-1, 10)
        while self._waiting and self._waiting[0].gone:
            self._waiting.popleft()
        # A call is logged when it is decided and wanted in the order of ringing: who still waits comes first.
        until = self._waiting[0].at if self._waiting else int(self.env.now)
        done = table[:, 5] < until
        self._log = [tuple(row) for row in table[~done].tolist()]
        return Calls.of(table[done]).in_order()

    def draw(self, call: _Call, concern: str) -> float:
        slot = call.attempt + (_FOLLOW_KEY if call.purpose == FOLLOW_UP else 0)
        return uniform_one(self.seed, call.account, concern, call.key * _KEYS + slot)

    def later(self, seconds: float, action: Callable[[Event], None], call: _Call) -> None:
        # A timeout with a callback costs less than half of a process of its own.
        event = self.env.timeout(seconds, call)
        assert event.callbacks is not None
        event.callbacks.append(action)

    def arrivals(self, calls: list[tuple[int, _Call]]) -> None:
        """Let calls ring one after the other; each arrival sets the clock for the next."""
        self._coming = iter(calls)
        self._next = next(self._coming, None)
        self._arrive(None)

    def _arrive(self, _event: Event | None) -> None:
        now = int(self.env.now)
        while self._next is not None:
            at, call = self._next
            if at > now:
                self.later(at - now, self._arrive, call)
                return
            self.ring(call, now)
            self._next = next(self._coming, None)

    def ring_again(self, event: Event) -> None:
        self.ring(_call_of(event), int(self.env.now))

    def ring(self, call: _Call, now: int) -> None:
        call.at = now
        if now >= self.ends:
            return
        if not self.hours.is_open(now) or self._talking + self._queued >= self.desk.lines:
            self.unanswered(call, MISSED, now)
        elif self._talking < self.desk.reps:
            self.talk(call, now)
        else:
            self._waiting.append(call)
            self._queued += 1
            patience = -math.log1p(-self.draw(call, "desk.patience")) * self.desk.patience_s
            self.later(math.ceil(patience), self.give_up, call)

    def give_up(self, event: Event) -> None:
        call = _call_of(event)
        # Someone who has meanwhile been answered has left the queue and is marked so.
        if not call.gone:
            call.gone = True
            self._queued -= 1
            self.unanswered(call, ABANDONED, int(self.env.now))

    def talk(self, call: _Call, now: int) -> None:
        call.gone = True
        self._talking += 1
        talk = call.talk_s[0]
        if call.purpose == ENQUIRY:
            self.note(call, ANSWERED, now, talk, now)
            self.take_up(call, now)
        else:
            self.note(call, ANSWERED, now, talk, _NEVER)
        self.later(talk, self.hang_up, call)

    def hang_up(self, _event: Event) -> None:
        self._talking -= 1
        while self._waiting:
            following = self._waiting.popleft()
            if not following.gone:
                self._queued -= 1
                self.talk(following, int(self.env.now))
                return

    def call_back(self, event: Event) -> None:
        self.take_up(_call_of(event), int(self.env.now))

    def take_up(self, call: _Call, now: int) -> None:
        for number, (after, talk) in enumerate(call.follow[:_FOLLOW_KEY]):
            again = _Call(call.caller, call.account, call.key, FOLLOW_UP, number, (talk,))
            self.ring_after(after, again, now)

    def ring_after(self, active: int, call: _Call, now: int) -> None:
        self.later(self._week.later(now, active) - now, self.ring_again, call)

    def note(self, call: _Call, status: int, now: int, talk: int, taken_up: int) -> None:
        at = call.at
        row = (call.caller, call.account, call.key, call.purpose, call.attempt, at)
        self._log.append((*row, status, now - at, talk, taken_up))

    def unanswered(self, call: _Call, status: int, now: int) -> None:
        leaves = call.purpose != JUNK and self.draw(call, "desk.voicemail") < self.desk.voicemail
        status = VOICEMAIL if leaves else status
        if call.purpose != ENQUIRY:
            self.note(call, status, now, 0, _NEVER)
        elif leaves and self.draw(call, "desk.call_back") < self.desk.call_back:
            returned = self.hours.next_opening(now) + _RETURN_S
            self.note(call, status, now, 0, returned)
            self.later(returned - now, self.call_back, call)
        else:
            self.note(call, status, now, 0, _NEVER)
            if call.attempt + 1 < self.desk.attempts and self.draw(call, "desk.retry") < self.desk.retry:
                wait = -math.log1p(-self.draw(call, "desk.retry_wait")) * self.desk.retry_hours * 3600
                identity = (call.caller, call.account, call.key, ENQUIRY, call.attempt + 1)
                self.ring_after(math.ceil(wait), _Call(*identity, call.talk_s[1:], call.follow), now)


def serve(
    world: World, batches: Iterable[tuple[Integers, Callers]], *, background: bool = True
) -> Iterator[Calls]:
    """Put all calls of a world through the desk, period by period.

    Parameters
    ----------
    world : World
        Its scenario's `desk` says who answers when; ``desk.reps`` must be above 0.
    batches : iterable of (ndarray of int64, Callers)
        Per `World.period` from the start of the warm-up the enquiries whose first try falls into it: numbers
        of the callers in the whole world, and the callers.
    background : bool, default True
        Whether existing customers and junk callers ring as well.

    Yields
    ------
    Calls
        All calls in order of time, in pieces. No more than those of a period and what is still to be decided
        are held at once.

    Notes
    -----
    Call-backs to people who left a message are made between other calls and hold no line. The queue present
    at closing time is still served.

    References
    ----------
    .. [1] Erlang's loss and delay formulas; `simulator.erlang` has both and the tests compare this desk with
    them.
    """
    floor = _Floor(world)
    for period, (number, callers) in enumerate(batches):
        others = background_calls(world, period) if background else _NO_CALLS
        floor.arrivals(_arrivals(world, number, callers, others))
        floor.env.run(until=(period + 1) * world.period)
        yield floor.settled()
    # Nobody rings after the end of the world, but who rang before it is still served.
    floor.env.run(until=int(floor.env.now) + 60 * DAY)
    yield floor.settled()


def _arrivals(world: World, number: Integers, callers: Callers, others: Calls) -> list[tuple[int, _Call]]:
    """List first tries and others' calls in the order of ringing, with the talk that they may come to."""
    seed, desk, more = world.seed, world.scenario.desk, callers.follow_owner
    # All draws of talk at once are quicker, those of tries that never come included.
    tries = callers.key[:, np.newaxis] * _KEYS + np.arange(desk.attempts)
    within = np.arange(len(more)) - np.searchsorted(more, more, side="left")
    account = np.concatenate((np.repeat(callers.account, desk.attempts), callers.account[more]))
    slot = np.concatenate((tries.ravel(), callers.key[more] * _KEYS + _FOLLOW_KEY + within))
    talk = talk_seconds(desk, uniform(seed, account, "desk.talk", slot))
    talk_s = [row.tolist() for row in talk[: tries.size].reshape(tries.shape)]
    follow: list[tuple[tuple[int, int], ...]] = [()] * len(callers.account)
    further = zip(more.tolist(), callers.follow_after.tolist(), talk[tries.size :].tolist(), strict=True)
    for owner, after, seconds in further:
        follow[owner] += ((after, seconds),)
    ids: list[list[int]] = np.column_stack((number, callers.account, callers.key)).tolist()
    calls = [
        _Call(caller, account, key, ENQUIRY, 0, talks, again)
        for (caller, account, key), talks, again in zip(ids, talk_s, follow, strict=True)
    ]
    rows: list[list[int]] = np.column_stack(
        (others.account, others.key, others.purpose, others.talk_s)
    ).tolist()
    calls += [_Call(-1, account, key, purpose, 0, (seconds,)) for account, key, purpose, seconds in rows]
    at, accounts, keys = (
        np.concatenate((getattr(callers, name), getattr(others, name))) for name in ("at", "account", "key")
    )
    # Calls of the same second ring in the order of their keys: ties must not hang on how the table was built.
    order = np.lexsort((keys, accounts, at))
    return [(moment, calls[place]) for moment, place in zip(at[order].tolist(), order.tolist(), strict=True)]


def answer(world: World, callers: Callers, *, background: bool = True) -> tuple[Integers, Calls]:
    """Put all calls of a world through the desk, with everything in memory.

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
        Every call, in order of time; `calls.caller` is the position in `callers`.
    """
    number = np.arange(len(callers.account), dtype=np.int64)
    if world.scenario.desk.reps == 0:
        parts = [at_once(world, callers, number)]
        parts += [background_calls(world, period) for period in range(world.periods if background else 0)]
        return callers.at.copy(), Calls.of(np.concatenate([part.rows() for part in parts])).in_order()
    parts = list(serve(world, _by_period(world, number, callers), background=background))
    calls = Calls.of(np.concatenate([part.rows() for part in parts]))
    return taken_up(calls, 0, len(number)), calls


def _by_period(world: World, number: Integers, callers: Callers) -> Iterator[tuple[Integers, Callers]]:
    period = callers.at // world.period
    order = np.argsort(period, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    follow_period = period[callers.follow_owner]
    for each in range(world.periods):
        begin, end = np.searchsorted(period[order], [each, each + 1])
        rows, follow = order[begin:end], np.flatnonzero(follow_period == each)
        yield (
            number[rows],
            Callers(
                callers.account[rows],
                callers.key[rows],
                callers.at[rows],
                place[callers.follow_owner[follow]] - begin,
                callers.follow_after[follow],
            ),
        )


def taken_up(calls: Calls, first: int, count: int) -> Integers:
    """Return when the enquiries of some callers were taken up, given all their calls.

    Parameters
    ----------
    calls : Calls
        Their calls.
    first, count : int
        Number of the first caller, and how many there are.

    Returns
    -------
    ndarray of int64
        Per caller the wall-clock second, `NEVER` if nobody did.
    """
    reached = np.full(count, NEVER)
    rows = np.flatnonzero(calls.taken_up < NEVER)
    reached[calls.caller[rows] - first] = calls.taken_up[rows]
    return reached


def background_calls(world: World, period: int) -> Calls:
    """Lay out the calls of customers and junk in one period, each as if it were answered at once."""
    week, seed, desk, length = Week(world), world.seed, world.scenario.desk, world.period // DAY
    days = np.arange(period * length, min((period + 1) * length, world.closes // DAY), dtype=np.int64)
    parts = [np.zeros((0, 5), dtype=np.int64)]
    for purpose, name, rate in (
        (CUSTOMER, "customer", desk.customer_calls_per_day * world.accounts / 1000),
        (JUNK, "junk", desk.junk_per_day),
    ):
        mean = np.full(len(days), rate)
        if desk.day_sigma:
            busy = uniform(seed, days, "desk.day")
            mean *= lognormal(busy, np.exp(-(desk.day_sigma**2) / 2), desk.day_sigma)
        owner, index = ragged(poisson(uniform(seed, days, f"desk.{name}.count"), mean))
        day = days[owner]
        share = uniform(seed, day, f"desk.{name}.at", index)
        at = week.wall(day * DAY + np.floor(share * DAY).astype(np.int64))
        customer = np.floor(uniform(seed, day, f"desk.{name}.who", index) * world.accounts).astype(np.int64)
        account = customer if purpose == CUSTOMER else -1 - day
        # Between the keys of enquiries with and without a need (`simulator.cycle`): a customer's call must
        # not share draws with the same company's enquiry.
        key = -(2**40) - day * 2**20 - index
        talk = talk_seconds(desk, uniform(seed, account, "desk.talk", key * _KEYS))
        parts.append(np.column_stack((account, key, np.full(len(day), purpose), at, talk)))
    account, key, purposes, at, talk = np.concatenate(parts).T
    none = np.zeros(len(at), dtype=np.int64)
    return Calls(
        none - 1, account, key, purposes, none, at, none + ANSWERED, none, talk, np.full(len(at), NEVER)
    )


def at_once(world: World, callers: Callers, number: Integers) -> Calls:
    """Return the calls of some callers, further ones included, where everybody is answered at once."""
    count, more = len(callers.account), len(callers.follow_owner)
    owner = callers.follow_owner
    starts = np.searchsorted(owner, owner, side="left") if more else owner
    none = np.zeros(count, dtype=np.int64)
    account = np.concatenate((callers.account, callers.account[owner]))
    key = np.concatenate((callers.key, callers.key[owner]))
    purpose = np.concatenate((none + ENQUIRY, np.full(more, FOLLOW_UP)))
    attempt = np.concatenate((none, np.arange(more) - starts))
    week = Week(world)
    further = week.wall(week.activity(callers.at[owner]) + callers.follow_after)
    at = np.concatenate((callers.at, further))
    slot = key * _KEYS + attempt + np.where(purpose == FOLLOW_UP, _FOLLOW_KEY, 0)
    talk = talk_seconds(world.scenario.desk, uniform(world.seed, account, "desk.talk", slot))
    rows = np.flatnonzero(at < world.ends)
    zero = np.zeros(len(rows), dtype=np.int64)
    caller = np.concatenate((number, number[owner]))[rows]
    answered_at = np.where(purpose == ENQUIRY, at, NEVER)[rows]
    return Calls(
        caller,
        account[rows],
        key[rows],
        purpose[rows],
        attempt[rows],
        at[rows],
        zero + ANSWERED,
        zero,
        talk[rows],
        answered_at,
    )


def talk_seconds(desk: Desk, share: Floats) -> Integers:
    """Turn uniforms into seconds of talk, 1 or more."""
    if desk.talk_law == "exponential":
        seconds = exponential(share) * desk.talk_s
    else:
        seconds = lognormal(share, desk.talk_s, desk.talk_sigma)
    return np.maximum(1, np.rint(seconds)).astype(np.int64)
