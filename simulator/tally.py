"""What was ordered in a world under several spend vectors: sums over its companies, run by run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulator.chance import Floats, Integers
from simulator.hazard import NEVER
from simulator.market import Week, World
from simulator.runs import Course, Job, Mapper, OnProgress, counted, paired, results, silent

MEASURES: Final = ("orders", "revenue_minor", "margin_minor")
MARGIN: Final = MEASURES.index("margin_minor")
LABELS: Final = ("anyway", "needed", "earlier", "grew")
ANYWAY, NEEDED, EARLIER, GREW = range(4)
# Runs computed together, beside the one they are compared with: bounds memory, and how long a stop waits.
# Even, so that two runs that follow each other from an odd place on stay together.
_TOGETHER: Final = 32


@dataclass(frozen=True)
class Tally:
    """Sums over a shard, one row per run.

    Attributes
    ----------
    window : ndarray of int64, shape (runs, 3)
        Orders, revenue and margin inside the reporting window.
    late : ndarray of int64, shape (runs, 3)
        The same after it, up to the end of the tail.
    last : ndarray of int64, shape (runs, 3)
        Of those after it, the ones of the last quarter of the tail.
    leads : ndarray of int64, shape (runs,)
        Companies whose first enquiry falls into the window.
    squares : ndarray of float64, shape (runs,)
        Sum over companies of the squared difference in counted margin to the first run.
    steps : ndarray of float64, shape (runs,)
        The same to the run before.
    moved : ndarray of int64, shape (runs,)
        Companies whose counted margin differs from that in the run before.
    deals : list of ndarray of int64
        Per deal won in the window of the first run: company id, need number, and a label per further run.
    """

    window: Integers
    late: Integers
    last: Integers
    leads: Integers
    squares: Floats
    steps: Floats
    moved: Integers
    deals: Integers

    @property
    def counted(self) -> Integers:
        """Orders, revenue and margin from the opening of the window to the end of the tail, per run.

        What the spend of the window causes is a difference of these. The warm-up is the same in all runs.
        """
        return self.window + self.late


# What adds up over shards: a row per run each.
_SUMS: Final = ("window", "late", "last", "leads", "squares", "steps", "moved")


def tally(job: Job) -> Tally:
    """Run a shard under all its spend vectors and add up what was ordered.

    Parameters
    ----------
    job : Job
        The shard; its first spend vector is what the others are compared with.

    Returns
    -------
    Tally
        Sums and per-deal labels. A deal is `needed` if without the spend it is not won by the end of the
        tail, `earlier` if it is won later without, `grew` if it is won at the same moment for less, else
        `anyway`.
    """
    week, world = Week(job.world), job.world
    window: list[list[int]] = []
    late: list[list[int]] = []
    final: list[list[int]] = []
    fading = world.ends - (world.ends - world.closes) // 4
    leads, squares, steps, moved = [], [], [], []
    base = last = np.zeros(job.count)
    rows = np.zeros(0, dtype=np.int64)
    deals: list[Integers] = []
    first_won, first_value = rows, rows
    for number, course in enumerate(job.courses()):
        full, orders = course.finish()
        needs = course.cycle.shard.needs
        at = week.wall(orders.at)
        inside = (at >= world.opens) & (at < world.closes)
        after = at >= world.closes
        counted = at >= world.opens
        columns = (np.ones(len(at), dtype=np.int64), orders.value_minor, orders.margin_minor)
        for sums, rows_of in ((window, inside), (late, after), (final, after & (at >= fading))):
            sums.append([int(column[rows_of].sum()) for column in columns])
        owner = needs.owner[orders.need[counted]]
        margin = np.bincount(owner, weights=orders.margin_minor[counted], minlength=job.count).astype(
            np.float64
        )
        value = np.zeros(len(needs), dtype=np.int64)
        value[orders.need[orders.repeat == 0]] = orders.value_minor[orders.repeat == 0]
        if number == 0:
            base = last = margin
            rows = np.sort(orders.need[inside & (orders.repeat == 0)])
            first_won, first_value = full.won_at[rows], value[rows]
            deals = [needs.account[rows], needs.index[rows]]
        else:
            label = np.full(len(rows), ANYWAY)
            label[value[rows] < first_value] = GREW
            label[full.won_at[rows] > first_won] = EARLIER
            label[full.won_at[rows] == NEVER] = NEEDED
            deals.append(label)
        leads.append(_leads(course, full.contact_at))
        squares.append(float(((margin - base) ** 2).sum()))
        steps.append(float(((margin - last) ** 2).sum()))
        moved.append(int((margin != last).sum()))
        last = margin
    by_run = [np.array(sums, dtype=np.int64).reshape(-1, 3) for sums in (window, late, final)]
    return Tally(
        by_run[0],
        by_run[1],
        by_run[2],
        np.array(leads, dtype=np.int64),
        np.array(squares),
        np.array(steps),
        np.array(moved, dtype=np.int64),
        np.column_stack(deals) if deals else np.zeros((0, 2), dtype=np.int64),
    )


def _leads(course: Course, contact_at: Integers) -> int:
    """Return how many companies enquire for the first time in the window."""
    world, shard = course.cycle.world, course.cycle.shard
    first = np.full(len(shard.region), NEVER)
    np.minimum.at(first, shard.needs.owner, contact_at)
    met = first[first < NEVER]
    at = Week(world).wall(met)
    return int(((at >= world.opens) & (at < world.closes)).sum())


def values(world: World, scales: Floats, spread: Mapper, on_progress: OnProgress = silent) -> Tally:
    """Run a world under several spend vectors.

    Parameters
    ----------
    world : World
        What to run.
    scales : ndarray of float64, shape (runs, campaigns)
        Spend per run and campaign as a multiple of the scenario's; the first row is compared with.
    spread : Mapper
        Where to run it.
    on_progress : callable, optional
        Is given the share done so far, 0 to 1; an exception that it raises stops the work.

    Returns
    -------
    Tally
        Sums over all companies.
    """
    first, rest = scales[:1], scales[1:]
    groups = [rest[begin : begin + _TOGETHER] for begin in range(0, max(1, len(rest)), _TOGETHER)]
    together = [np.vstack([first, group]) for group in groups]
    watched = counted(spread, on_progress, sum(results(world, len(each)) for each in together))
    found: list[Tally] = []
    for group in together:
        parts = list(paired(world, group, tally, watched))
        sums: dict[str, Any] = {
            name: np.sum([getattr(part, name) for part in parts], axis=0) for name in _SUMS
        }
        found.append(Tally(**sums, deals=np.concatenate([part.deals for part in parts])))
    # Every group repeats the run that its others are compared with.
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(found[0], name)[:1], *(getattr(each, name)[1:] for each in found)])
        for name in _SUMS
    }
    deals = np.column_stack([found[0].deals[:, :2], *(each.deals[:, 2:] for each in found)])
    return Tally(**joined, deals=deals)
