"""The people who write quotes: requests wait their turn, in a discrete-event simulation (SimPy).

Here companies meet a second time: a request from one keeps that of another waiting. The work on a quote is
keyed by its need, so that a campaign taken away changes the others' quotes only by leaving them their turn.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.chance import Integers
from simulator.hazard import NEVER
from simulator.market import World
from simulator.opening import Hours

if TYPE_CHECKING:
    from simpy import Environment, Resource


@dataclass(frozen=True)
class Requests:
    """Quotes wanted, one per position. Moments are wall-clock seconds since the start of the warm-up."""

    account: Integers
    index: Integers  # how-manieth need of the company
    at: Integers
    work_s: Integers  # seconds of work, 0 or more
    deadline: Integers  # when the need ends; whoever's turn comes later is not written to


def write_quotes(world: World, requests: Requests) -> Integers:
    """Let all quotes of a market be written, in the order in which they were asked for.

    Parameters
    ----------
    world : World
        ``scenario.sales.people`` write, 1 or more, while ``scenario.desk`` is open.
    requests : Requests
        What is wanted.

    Returns
    -------
    ndarray of int64
        Per request the wall-clock second at which its quote was written, `NEVER` if it was not.
    """
    from simpy import Environment, Resource

    hours = Hours(world)
    at, deadline = hours.working(requests.at), hours.working(requests.deadline)
    # Of the same second the company's number decides, so that ties do not hang on the table's order.
    order = np.lexsort((requests.index, requests.account, at))
    written = np.full(len(at), NEVER)
    env = Environment()
    people = Resource(env, world.scenario.sales.people)
    env.process(_arrivals(env, people, order, at, requests.work_s, deadline, written))
    env.run()
    done = written < NEVER
    written[done] = hours.wall(written[done])
    # Work that takes no time is done when it is asked for, not at the closing before.
    written[done] = np.maximum(written[done], requests.at[done])
    return written


def _arrivals(
    env: Environment,
    people: Resource,
    order: Integers,
    at: Integers,
    work: Integers,
    deadline: Integers,
    written: Integers,
) -> Generator[Any, Any, None]:
    for each in order.tolist():
        yield env.timeout(int(at[each]) - env.now)
        env.process(_write(env, people, each, int(work[each]), int(deadline[each]), written))


def _write(
    env: Environment, people: Resource, each: int, work: int, deadline: int, written: Integers
) -> Generator[Any, Any, None]:
    with people.request() as turn:
        yield turn
        if env.now <= deadline:
            yield env.timeout(work)
            written[each] = env.now
