"""How many numbers and how many people: closed forms from queueing theory, and simulation to check them.

The formulas assume that calls and visits come at random at a steady rate. A Monday morning is not steady, so
size for the busy hour, not for the mean of the week.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.chance import Floats, exponential, uniform
from simulator.erlang import erlang_b, erlang_c, reshown
from simulator.pool import mistaken

# Each size is simulated so many times, independently, so that the error of its mean is known.
REPLICATIONS: Final = 20


def smallest(loss: Callable[[int], float], target: float, first: int = 1, limit: int = 100_000) -> int:
    """Return the smallest size whose loss is at most the target.

    Parameters
    ----------
    loss : callable
        Loss, 0 to 1, by size; must not rise with the size.
    target : float
        Loss allowed, above 0 and at most 1.
    first, limit : int
        Range searched.

    Returns
    -------
    int
        Found by bisection.

    Raises
    ------
    ValueError
        If the target is out of range or not reached within the limit.

    Examples
    --------
    >>> from simulator.erlang import erlang_b
    >>> smallest(lambda lines: erlang_b(lines, 6.0), 0.01)
    13
    """
    if not 0.0 < target <= 1.0:
        raise ValueError(f"loss {target} must be above 0 and at most 1")
    low, high = first, first
    while loss(high) > target:
        if high >= limit:
            raise ValueError(
                f"no size up to {limit} keeps the loss at {target}: it is {loss(high):.3g} there"
            )
        low, high = high + 1, min(limit, 2 * high + 1)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if loss(middle) <= target else (middle + 1, high)
    return low


def steady(seed: int, concern: str, rate: float, count: int) -> Floats:
    """Lay out arrivals at a steady rate.

    Parameters
    ----------
    seed : int
        Decides the draw.
    concern : str
        What arrives.
    rate : float
        Arrivals per unit of time, above 0.
    count : int
        Number of arrivals, 0 or more.

    Returns
    -------
    ndarray of float64
        Rising moments of a Poisson process that starts at 0.
    """
    return np.cumsum(exponential(uniform(seed, 0, concern, np.arange(count)))) / rate


@dataclass(frozen=True)
class Size:
    """A size with the loss that theory and simulation expect of it.

    Attributes
    ----------
    count : int
        Numbers or people.
    theory, simulated : float
        Loss, 0 to 1, by the closed form and as the mean over independent simulations.
    error : float
        Standard error of that mean.
    """

    count: int
    theory: float
    simulated: float
    error: float


def pool_for(
    views_per_hour: float, delay_hours: float, loss: float, *, seed: int = 0, views: int = 20_000
) -> list[Size]:
    """Find how many numbers a visitor pool needs.

    Parameters
    ----------
    views_per_hour : float
        Visits to the site in the busy hour, above 0.
    delay_hours : float
        Time from visit to call that the pool must bridge, for example the 95th percentile; above 0.
    loss : float
        Share of calls after that delay that may be attributed to the wrong visitor, above 0 and at most 1.
    seed : int, default 0
        Decides the simulated arrivals.
    views : int, default 20,000
        Views simulated per size; more for pools so large that these would pass within a few delays.

    Returns
    -------
    list of Size
        Sizes from a little below to a little above the one needed, each with theory and simulation; the
        needed one is the first whose theory is at most `loss`.

    Raises
    ------
    ValueError
        If a rate is not above 0 or the loss is out of range.

    Examples
    --------
    >>> [size.count for size in pool_for(60, 0.1, 0.01, views=1000) if size.theory <= 0.01][0]
    13
    """
    if views_per_hour <= 0 or delay_hours <= 0:
        raise ValueError("views_per_hour and delay_hours must be above 0")
    load = views_per_hour * delay_hours
    needed = smallest(lambda numbers: reshown(numbers, load), loss)
    count = max(views // REPLICATIONS, 5 * needed)
    delays = np.full(count, delay_hours)
    runs = [steady(seed, f"size.views.{run}", views_per_hour, count) for run in range(REPLICATIONS)]
    return [
        _size(n, reshown(n, load), [mistaken(moments, n, delays) for moments in runs])
        for n in _around(needed)
    ]


def desk_for(
    calls_per_hour: float,
    talk_minutes: float,
    loss: float,
    *,
    queue: bool = False,
    seed: int = 0,
    calls: int = 50_000,
) -> list[Size]:
    """Find how many people a telephone desk needs so that few callers find them all engaged.

    Parameters
    ----------
    calls_per_hour : float
        Calls in the busy hour, above 0.
    talk_minutes : float
        Mean minutes per call, after-work included; above 0.
    loss : float
        Share of callers who may find everyone engaged, above 0 and at most 1.
    queue : bool, default False
        Whether these wait until somebody is free (Erlang C) or are lost (Erlang B).
    seed : int, default 0
        Decides the simulated calls.
    calls : int, default 50,000
        Calls simulated per size.

    Returns
    -------
    list of Size
        Sizes from a little below to a little above the one needed; the needed one is the first whose theory
        is at most `loss`.

    Raises
    ------
    ValueError
        If a rate is not above 0 or the loss is out of range.

    Examples
    --------
    >>> [size.count for size in desk_for(30, 4, 0.05, calls=1000) if size.theory <= 0.05][0]
    5
    >>> [size.count for size in desk_for(30, 4, 0.05, queue=True, calls=1000) if size.theory <= 0.05][0]
    6
    """
    if calls_per_hour <= 0 or talk_minutes <= 0:
        raise ValueError("calls_per_hour and talk_minutes must be above 0")
    load = calls_per_hour * talk_minutes / 60
    theory, simulated = (erlang_c, waiting) if queue else (erlang_b, engaged)
    needed = smallest(lambda people: theory(people, load), loss)
    count = max(1, calls // REPLICATIONS)
    runs = []
    for run in range(REPLICATIONS):
        talk = exponential(uniform(seed, 0, f"size.talk.{run}", np.arange(count))) * talk_minutes
        runs.append((steady(seed, f"size.calls.{run}", calls_per_hour / 60, count), talk))
    return [
        _size(n, theory(n, load), [simulated(moments, talk, n) for moments, talk in runs])
        for n in _around(needed)
    ]


def _size(count: int, theory: float, losses: list[float]) -> Size:
    error = np.std(losses, ddof=1) / np.sqrt(len(losses))
    return Size(count, theory, float(np.mean(losses)), float(error))


def _around(needed: int) -> list[int]:
    step = max(1, needed // 10)
    return sorted({max(1, needed + step * offset) for offset in range(-4, 5)})


def engaged(arrivals: Floats, talk: Floats, servers: int) -> float:
    """Simulate lines without a queue.

    Parameters
    ----------
    arrivals : ndarray of float64
        Rising moments of the calls.
    talk : ndarray of float64
        How long each talks if answered, in the unit of `arrivals`.
    servers : int
        Lines, 1 or more.

    Returns
    -------
    float
        Share of calls that find all lines engaged.
    """
    busy: list[float] = []
    lost = 0
    for now, length in zip(arrivals.tolist(), talk.tolist(), strict=True):
        while busy and busy[0] <= now:
            heapq.heappop(busy)
        if len(busy) < servers:
            heapq.heappush(busy, now + length)
        else:
            lost += 1
    return lost / max(1, len(arrivals))


def waiting(arrivals: Floats, talk: Floats, servers: int) -> float:
    """Simulate people who are called in turn by a queue in which everyone waits.

    Parameters
    ----------
    arrivals : ndarray of float64
        Rising moments of the calls.
    talk : ndarray of float64
        How long each talks, in the unit of `arrivals`.
    servers : int
        People, 1 or more.

    Returns
    -------
    float
        Share of calls that have to wait. The desk opens empty; the first tenth of the calls is left out.
    """
    free = [0.0] * servers
    waits: list[bool] = []
    for now, length in zip(arrivals.tolist(), talk.tolist(), strict=True):
        earliest = heapq.heappop(free)
        waits.append(earliest > now)
        heapq.heappush(free, max(now, earliest) + length)
    settled = waits[len(waits) // 10 :]
    return sum(settled) / max(1, len(settled))
