"""From need to order: how the campaigns a company met move it through the buying cycle.

A need passes three waits: to the shortlist, to first contact, and from the quote to the order. Each is the
moment at which an accumulated hazard reaches one exponential threshold drawn for that need and stage. Organic
demand gives the hazard a floor; a meeting with a campaign pushes it at once (impulse) and lifts it for a
while (lift, halving twice and ending at the third half-life). The need ends without us at a moment of its
own.

Two properties follow and are tested. Hazards only ever gain from a campaign, so with every caller answered
nobody is lost by adding one. And all sums are of whole numbers, so a campaign of no effect changes not one
bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.agreement import Agreement
from simulator.chance import (
    Flags,
    Floats,
    Integers,
    choose,
    lognormal,
    poisson,
    ragged,
    uniform,
    words,
)
from simulator.hazard import NEVER, Stage, pairs
from simulator.market import DAY, Shard, Week, reach
from simulator.orders import Orders, make_orders
from simulator.parameters import Need
from simulator.ranges import STAGES

MODES: Final = ("phone", "form", "message", "in person")
STATUSES: Final = ("won", "lost", "no decision", "open")
PHONE: Final = 0
WON, LOST, NO_DECISION, OPEN = range(4)

# Spread of the days to a tender's request, standard deviation of the logarithm. Assumption.
_TENDER_SIGMA: Final = 0.4
# An enquiry without a need follows its meeting within this many days, evenly. Assumption.
_IDLE_DAYS: Final = 3.0
# Keys of enquiries without a need: below those of customers' calls (`simulator.desk`), and too many to meet.
_IDLE_KEYS: Final = np.int64(2**41)
_IDLE_BITS: Final = np.uint64(2**48 - 1)


@dataclass(frozen=True)
class Enquiries:
    """First contacts, one per position. Moments are seconds of activity time."""

    account: Integers
    need: Integers  # position of the need, -1 for an enquiry without one
    key: Integers  # unique among the company's enquiries, negative without a need
    mode: Integers  # position in MODES
    at: Integers
    follow_owner: Integers  # for each further call by telephone the position of its enquiry
    follow_after: Integers  # and its distance from the answered contact

    @property
    def by_phone(self) -> Integers:
        """Positions of the enquiries made by telephone."""
        return np.flatnonzero(self.mode == PHONE)


@dataclass(frozen=True)
class Outcome:
    """What became of every need of a shard, in seconds of activity time; `NEVER` if it did not come."""

    shortlist_at: Integers
    contact_at: Integers
    mode: Integers
    reached_at: Integers
    qualified_at: Integers
    quote_at: Integers
    won_at: Integers
    status: Integers  # position in STATUSES
    ended_at: Integers


class Cycle:
    """The buying cycles of a shard, ready to be run under any spend.

    Parameters
    ----------
    shard : Shard
        Companies, needs and meetings.

    Notes
    -----
    Laying out is done once; `enquire` and `finish` then answer for one spend vector each, sharing all chance.
    """

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.world = shard.world
        scenario = self.world.scenario
        seed, needs = self.world.seed, shard.needs
        kinds = list(scenario.needs.values())
        means = {stage: [getattr(kind, days) for kind in kinds] for stage, days in STAGES.items()}
        deciders = np.minimum(
            shard.group[needs.owner], np.array([kind.deciders for kind in kinds])[needs.kind]
        )
        self._stages = {
            stage: Agreement(shard, np.array(mean)[needs.kind], deciders)
            if stage == "win" and (deciders > 1).any()
            else Stage(
                shard,
                stage,
                np.array(mean)[needs.kind],
                uniform(seed, needs.account, f"cycle.{stage}", needs.index),
            )
            for stage, mean in means.items()
        }
        self._tenders(kinds)
        contact = scenario.contact
        rest = max(0.0, 1.0 - contact.phone - contact.form - contact.message)
        self._shares = (contact.phone, contact.form, contact.message, rest)
        mode = choose(uniform(seed, needs.account, "cycle.mode", needs.index), self._shares)
        self._mode = np.where(self._tender, MODES.index("message"), mode)
        qualify = np.array([kind.qualify_rate for kind in kinds])[needs.kind]
        self._qualifies = uniform(seed, needs.account, "cycle.qualify", needs.index) < qualify
        quote = lognormal(
            uniform(seed, needs.account, "cycle.quote", needs.index),
            np.array([kind.quote_days for kind in kinds])[needs.kind],
            np.array([kind.quote_sigma for kind in kinds])[needs.kind],
        )
        self._quote = np.rint(quote * DAY).astype(np.int64) + 1
        hours = lognormal(
            uniform(seed, needs.account, "cycle.hours", needs.index),
            np.maximum(1e-9, np.array([kind.quote_hours for kind in kinds]))[needs.kind],
            np.array([kind.quote_sigma for kind in kinds])[needs.kind],
        )
        self.work_s = np.rint(hours * 3600).astype(np.int64)
        lost = np.array([kind.lost_share for kind in kinds])[needs.kind]
        self._ending = np.where(
            uniform(seed, needs.account, "cycle.ending", needs.index) < lost, LOST, NO_DECISION
        )
        opens = Week(self.world).activity(np.array([self.world.opens]))[0]
        self._earlier = shard.exposures.at < opens
        self._pairs = pairs(shard, [c.value_lift for c in scenario.campaigns.values()], memory=False)

    def _tenders(self, kinds: list[Need]) -> None:
        """Draw which needs are put out to tender, and against how many rivals each quote stands."""
        needs, seed = self.shard.needs, self.world.seed
        kind = needs.kind

        def draw(concern: str) -> Floats:
            return uniform(seed, needs.account, f"cycle.{concern}", needs.index)

        self._tender = draw("tender") < np.array([each.tender for each in kinds])[kind]
        wait = lognormal(draw("request"), np.array([each.tender_days for each in kinds])[kind], _TENDER_SIGMA)
        self._request = needs.onset + 1 + np.rint(wait * DAY).astype(np.int64)
        self._decision = np.rint(np.array([each.decision_days for each in kinds])[kind] * DAY).astype(
            np.int64
        )
        usual, more = (
            np.array(each)[kind] for each in zip(*((e.rivals, e.tender_rivals) for e in kinds), strict=True)
        )
        rivals = poisson(draw("rivals"), np.where(self._tender, more, usual))
        price = self.world.scenario.market.price_level ** np.array([each.price_elasticity for each in kinds])
        self._beats = draw("beats") < 1.0 / (1.0 + rivals * price[kind])

    def active(self, scale: Floats) -> Flags:
        """Return which meetings happen when each campaign's spend of the window is multiplied by its `scale`.

        Those of the warm-up happen as in the scenario whatever the scale: what was spent before is spent.
        """
        exposures = self.shard.exposures
        campaigns = self.world.scenario.campaigns.values()
        reached = [reach(campaign, float(each)) for campaign, each in zip(campaigns, scale, strict=True)]
        within = exposures.threshold < np.array([*reached, 0.0])[exposures.campaign]
        return np.asarray(np.where(self._earlier, exposures.threshold < 1.0, within))

    def enquire(self, scale: Floats) -> tuple[Outcome, Enquiries]:
        """Run the cycle up to first contact.

        Parameters
        ----------
        scale : ndarray of float64
            Spend of the window per campaign as a multiple of the scenario's, in the order of
            `World.campaigns`; 0 = it does not run in the window.

        Returns
        -------
        outcome : Outcome
            Shortlist and contact moments; later ones are `NEVER`.
        enquiries : Enquiries
            First contacts before the need's deadline, and enquiries without a need.
        """
        needs = self.shard.needs
        active = self.active(scale)
        shortlist = self._stages["shortlist"].crossing(active, needs.onset)
        shortlist = np.where(shortlist < needs.deadline, shortlist, NEVER)
        contact = self._stages["contact"].crossing(active, shortlist)
        # A tender is sent on its day to whoever is on the list by then.
        asked = np.where(shortlist <= self._request, self._request, NEVER)
        contact = np.where(self._tender, asked, contact)
        contact = np.where(contact < needs.deadline, contact, NEVER)
        never = np.full(len(needs), NEVER)
        status = np.full(len(needs), OPEN)
        outcome = Outcome(shortlist, contact, self._mode, never, never, never, never, status, never)
        made = np.flatnonzero(contact < self.world.ends)
        calls = made[self._mode[made] == PHONE]
        mean = self.world.scenario.contact.follow_ups
        owner, index = ragged(poisson(self._draw("follow.count", calls), mean))
        caller = calls[owner]
        share = uniform(
            self.world.seed, needs.account[caller], "follow.at", needs.index[caller] * 4096 + index
        )
        # Buyers ask again while they wait for the quote; whether it comes in time does not change that.
        after = 1 + np.floor(share * self._quote[caller]).astype(np.int64)
        enquiries = _together(
            Enquiries(
                needs.account[made],
                made,
                needs.index[made],
                self._mode[made],
                contact[made],
                np.searchsorted(made, caller),
                after,
            ),
            *self._idle(active),
        )
        return outcome, enquiries

    def _draw(self, concern: str, rows: Integers) -> Floats:
        needs = self.shard.needs
        return uniform(self.world.seed, needs.account[rows], concern, needs.index[rows])

    def _idle(self, active: Flags) -> list[Enquiries]:
        exposures, seed = self.shard.exposures, self.world.seed
        parts = []
        for position, (name, campaign) in enumerate(self.world.scenario.campaigns.items()):
            if not campaign.idle_enquiry:
                continue
            rows = np.flatnonzero(active & (exposures.campaign == position))
            account, key = exposures.account[rows], exposures.key[rows]
            asks = uniform(seed, account, f"idle.{name}", key) < campaign.idle_enquiry
            account, key, at = account[asks], key[asks], exposures.at[rows][asks]
            wait = uniform(seed, account, f"idle.{name}.wait", key) * _IDLE_DAYS * DAY
            mode = choose(uniform(seed, account, f"idle.{name}.mode", key), self._shares)
            nobody = np.full(len(account), -1, dtype=np.int64)
            # By name, not by position: another campaign must not change who this enquiry is.
            unique = -_IDLE_KEYS - (words(seed, account, f"idle.{name}.key", key) & _IDLE_BITS).astype(
                np.int64
            )
            none = np.zeros(0, dtype=np.int64)
            parts.append(
                Enquiries(account, nobody, unique, mode, at + 1 + np.floor(wait).astype(np.int64), none, none)
            )
        return parts

    def qualified(self, outcome: Outcome, reached: Integers) -> Integers:
        """Return per need when it is clear that a quote is wanted, `NEVER` if it never is."""
        in_time = (outcome.contact_at < NEVER) & (reached < self.shard.needs.deadline)
        return np.where(in_time & self._qualifies, reached, NEVER)

    def finish(
        self, scale: Floats, outcome: Outcome, reached: Integers, written: Integers | None = None
    ) -> tuple[Outcome, Orders]:
        """Run the cycle from the answered contact to its end.

        Parameters
        ----------
        scale : ndarray of float64
            The spend vector given to `enquire`.
        outcome : Outcome
            What `enquire` returned.
        reached : ndarray of int64
            Per need the moment somebody at the supplier took the enquiry up, in seconds of activity time,
            `NEVER` if nobody did.
        written : ndarray of int64, optional
            Per need the moment at which somebody had written the quote, `NEVER` if nobody did; None = nobody
            waits for that.

        Returns
        -------
        outcome : Outcome
            Complete: every need is won, lost, without decision, or open at the end of the world.
        orders : Orders
            First and repeat orders up to the end of the world.

        Notes
        -----
        The group decides at the moment at which all its deciders have agreed (`simulator.agreement`), a
        tender on its day. We get the order with the chance 1 / (1 + n p**e) against n rivals at price level p
        and elasticity e; else a rival does. A need that is not decided in time ends as its own draw says.
        """
        needs, ends = self.shard.needs, self.world.ends
        active = self.active(scale)
        reached = np.where((outcome.contact_at < NEVER) & (reached < needs.deadline), reached, NEVER)
        qualified = self.qualified(outcome, reached)
        ready = qualified if written is None else written
        quote = np.where(ready < NEVER, np.minimum(ready, ends) + self._quote, NEVER)
        quote = np.where(quote < needs.deadline, quote, NEVER)
        decided = self._stages["win"].crossing(active, np.where(self._tender, NEVER, quote))
        on_its_day = np.where(quote < NEVER, np.minimum(quote, ends) + self._decision, NEVER)
        decided = np.where(self._tender, on_its_day, decided)
        decided = np.where((decided < needs.deadline) & (decided < ends), decided, NEVER)
        won = np.where(self._beats, decided, NEVER)
        ended = np.minimum(decided, needs.deadline)
        undecided = np.where(ended < ends, self._ending, OPEN)
        status = np.where(won < NEVER, WON, np.where(decided < NEVER, LOST, undecided))
        full = Outcome(
            outcome.shortlist_at,
            outcome.contact_at,
            outcome.mode,
            reached,
            qualified,
            quote,
            won,
            status,
            ended,
        )
        return full, make_orders(self.shard, won, self._growth(active, won))

    def _growth(self, active: Flags, won: Integers) -> Floats:
        pair_need, pair_exposure = self._pairs
        exposures = self.shard.exposures
        growth = np.zeros(len(won))
        # In the order of names, since sums of fractions depend on it.
        for name, campaign in sorted(self.world.scenario.campaigns.items()):
            if campaign.value_lift:
                position = self.world.campaigns.index(name)
                met = (exposures.campaign[pair_exposure] == position) & active[pair_exposure]
                met &= exposures.at[pair_exposure] <= won[pair_need]
                grew = np.zeros(len(won), dtype=bool)
                grew[pair_need[met]] = True
                growth += campaign.value_lift * grew
        return growth


def at_once(outcome: Outcome) -> Integers:
    """Return the moments of reaching somebody when every enquiry is taken up at once."""
    return outcome.contact_at


def _together(first: Enquiries, *more: Enquiries) -> Enquiries:
    # Enquiries without a need have no further calls, so the owners of those stay where they are.
    columns = ("account", "need", "key", "mode", "at")
    joined = {
        column: np.concatenate([getattr(part, column) for part in (first, *more)]) for column in columns
    }
    return Enquiries(**joined, follow_owner=first.follow_owner, follow_after=first.follow_after)
