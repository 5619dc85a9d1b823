"""Reading a supplier's tables group by group into the values of a scenario, each with its origin."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from simulator.habits import CALLED, habit
from simulator.own_reader import Reader
from simulator.ranges import MOST_MET

Origin = Literal["data", "fitted", "assumption"]
Tree = dict[str, Any]

# Companies in the market for each one seen. Assumption.
UNSEEN_FACTOR: Final = 2.0
# Of this scenario come the values that no table tells, without its campaigns.
BASE: Final = "supplier"
YEAR: Final = 365
# A campaign that pauses for so many days runs in flights; one seen in this share of the window runs all year.
_PAUSE, _ALWAYS = 30, 0.75
# Orders followed by another of the company from which how often they repeat is told, at least.
_AGAIN: Final = 20
# Won of needs that arise, to begin the fit with. Assumption.
_WON: Final = 0.25
# Costs of these kinds are booked once and cannot be moved, direct or not.
_BOOKED: Final = ("booking", "stand", "booth", "design", "one-off", "one off", "setup", "listing")


@dataclass
class Builder:
    """Fills a scenario's values in, group by group, and notes where each comes from."""

    ask: Reader
    tree: Tree
    origins: dict[str, tuple[Origin, str]]
    opens: dt.datetime
    ends: dt.datetime
    days: int
    begun: dt.datetime

    @property
    def years(self) -> float:
        """The length of the window."""
        return self.days / YEAR

    def say(self, key: str, origin: Origin, how: str) -> None:
        """Note where a value comes from."""
        self.origins[key] = (origin, how)

    def size(self, accounts: int | None) -> None:
        """Set the number of companies and the window."""
        (seen,) = self.ask.row(
            """select count(*) from (
                 select account_id::varchar as id from touches
                 union select account_id::varchar from conversions
               ) where id not like 'unknown-%'"""
        )
        self.tree["accounts"] = max(1, accounts or math.ceil(seen * UNSEEN_FACTOR))
        how = f"{seen} companies seen, times {UNSEEN_FACTOR:g}"
        self.say("accounts", "data" if accounts else "assumption", "as given" if accounts else how)
        self.tree["start"], self.tree["days"] = self.opens.date(), self.days
        self.tree["utc_offset_hours"] = 0.0
        for key, how in (("start", "the last year of the tables"), ("days", "as above")):
            self.say(key, "data", how)
        self.say("utc_offset_hours", "assumption", "all times are UTC")

    def need(self) -> int:
        """Make one kind of need of the orders; return how many came in the window."""
        won = "(goal = 'won' or goal is null) and value_minor > 0"
        number, value, sigma, margin, of, currency = self.ask.row(
            f"""select count(*), exp(median(ln(value_minor))), stddev_samp(ln(value_minor)),
                sum(margin_minor)::double, sum(value_minor) filter (where margin_minor is not null)::double,
                mode(currency) from conversions where {won}"""  # noqa: S608 - of our own words
        )
        (orders,) = self.ask.row(
            "select count(*) from conversions where (goal = 'won' or goal is null) and converted_at >= ?"
            " and converted_at < ?",
            self.opens,
            self.ends,
        )
        kinds = self.tree["needs"]
        if not number:
            raise ValueError("conversions holds no order with a value above 0: enter the values of deals")
        # The course of the need is that of the kind whose orders are worth about as much.
        near = min(kinds, key=lambda kind: abs(math.log(kinds[kind]["value_minor"] / value)))
        need = dict(kinds[near])
        self.tree["needs"] = {"order": need}
        self.tree["currency"] = currency
        self.say("currency", "data", "that of most orders")
        self.say("needs.order", "assumption", f"as {near} of the scenario {BASE}")
        need["value_minor"] = max(1.0, round(value))
        self.say("needs.order.value_minor", "data", f"median of {number} orders")
        if number > 2:
            need["value_sigma"] = min(2.0, round(sigma, 4))
            self.say("needs.order.value_sigma", "data", f"of the logarithm, {number} orders")
        if margin is not None and of:
            need["margin"] = round(min(1.0, max(0.0, margin / of)), 4)
            self.say("needs.order.margin", "data", "of the orders with a margin")
        if (self.ends - self.begun).days >= YEAR:
            months = dict(
                self.ask.rows(
                    f"select month(converted_at), count(*) from conversions where {won}"  # noqa: S608 - of our own words
                    " and converted_at >= ? group by 1",
                    self.ends - dt.timedelta(days=YEAR * ((self.ends - self.begun).days // YEAR)),
                )
            )
            mean = sum(months.values()) / 12
            # A month counts as if two ordinary ones more had been seen, so that chance makes no season.
            need["season"] = [
                round((months.get(month, 0) + 2 * max(mean, 1)) / (mean + 2 * max(mean, 1)), 3)
                for month in range(1, 13)
            ]
            self.say("needs.order.season", "data", "orders by month, drawn to their mean")
        else:
            need["season"] = [1.0] * 12
            self.say("needs.order.season", "assumption", "less than a year of orders: even")
        self._repeats(need)
        sizes = self.tree["market"]["sizes"].values()
        demand = sum(each["share"] * each["demand"] for each in sizes) / sum(each["share"] for each in sizes)
        rate = max(orders, 1) / self.years / self.tree["accounts"] / demand / _WON
        need["per_year"] = min(50.0, rate)
        return int(orders)

    def _repeats(self, need: Tree) -> None:
        """Take how soon and how often companies order again from their orders, where enough did."""
        half = self.opens + (self.ends - self.opens) / 2
        number, again, days = self.ask.row(
            """with won as (select converted_at as won_at, lead(converted_at) over
                   (partition by account_id order by converted_at) as later
                 from conversions where goal = 'won' or goal is null)
               select count(*), count(later), avg(epoch(later - won_at)) / 86400 from won
               where won_at >= ? and won_at < ?""",
            self.opens,
            half,
        )
        if again < _AGAIN or not days:
            return
        # A repeat order that was asked for and lost is not seen, and does not end the relation.
        share, won = again / number, need["repeat_win"]
        stays = share / (won + share - share * won)
        need["repeat_end"] = round(min(0.95, max(0.02, 1 - stays)), 4)
        need["repeat_per_year"] = round(min(50.0, YEAR / days / won), 4)
        self.say("needs.order.repeat_end", "data", f"{again} of {number} orders were followed by another")
        self.say("needs.order.repeat_per_year", "data", f"{days:.0f} days to the next order on average")

    def desk(self) -> None:
        """Take opening hours, talk time and unwanted calls from the calls."""
        desk = self.tree["desk"]
        window = "started_at >= ? and started_at < ?"
        answered = f"{window} and talk_s > 0 and not spam"
        number, talk, sigma = self.ask.row(
            "select count(*), exp(median(ln(talk_s))), stddev_samp(ln(talk_s)) from calls"  # noqa: S608 - of our own words
            f" where {answered}",
            self.opens,
            self.ends,
        )
        if number < 20:
            desk |= {"reps": 0, "junk_per_day": 0.0, "customer_calls_per_day": 0.0}
            self.say("desk", "assumption", "fewer than 20 answered calls: everyone is answered at once")
            return
        desk |= {"talk_s": round(talk, 1), "talk_sigma": min(2.0, round(sigma, 4)), "holidays": []}
        if "talk_law" in desk:
            desk["talk_law"] = "lognormal"
        self.say("desk.talk_s", "data", f"median of {number} answered calls")
        self.say("desk.talk_sigma", "data", "of the logarithm of talk times")
        self.say("desk.holidays", "assumption", "none")
        early, late = self.ask.row(
            "select quantile_disc(hour(started_at), 0.02), quantile_disc(hour(started_at), 0.98) from calls"  # noqa: S608 - of our own words
            f" where {answered}",
            self.opens,
            self.ends,
        )
        desk |= {"open_hour": float(early), "close_hour": float(late + 1)}
        rows = self.ask.rows(
            f"select isodow(started_at) - 1, count(*) from calls where {answered} group by 1",  # noqa: S608 - of our own words
            self.opens,
            self.ends,
        )
        desk["open_days"] = sorted(int(day) for day, calls in rows if calls >= 0.02 * number)
        for key in ("open_hour", "close_hour", "open_days"):
            self.say(f"desk.{key}", "data", "when calls were answered, UTC")
        self._reps(number, talk, sigma, late + 1 - early)
        (junk,) = self.ask.row(f"select count(*) from calls where spam and {window}", self.opens, self.ends)  # noqa: S608 - of our own words
        marked = self.tree["observer"]["junk_marked"] or 1.0
        desk["junk_per_day"] = round(junk / marked / self.days, 4)
        self.say("desk.junk_per_day", "data", f"{junk} calls marked as spam, {marked:g} of all")
        hours = dict(self.ask.rows("select hour(started_at), count(*) from calls where not spam group by 1"))
        week = dict(
            self.ask.rows("select isodow(started_at) - 1, count(*) from calls where not spam group by 1")
        )
        calendar = self.tree["calendar"]
        every, daily = sum(hours.values()), sum(week.values())
        calendar["hours"] = [round(max(0.05, hours.get(each, 0) * 24 / every), 3) for each in range(24)]
        calendar["days"] = [round(max(0.05, week.get(each, 0) * 7 / daily), 3) for each in range(7)]
        self.say("calendar", "data", "when calls came, UTC")

    def _reps(self, number: int, talk: float, sigma: float, hours: float) -> None:
        """Set as many people at the telephone as miss about as many calls as the data (Erlang's loss)."""
        (missed,) = self.ask.row(
            "select avg((status in ('missed', 'voicemail'))::int) from calls where not spam and"
            " started_at >= ? and started_at < ? and hour(started_at) >= ? and hour(started_at) < ?"
            " and list_contains(?, isodow(started_at) - 1)",
            self.opens,
            self.ends,
            int(self.tree["desk"]["open_hour"]),
            int(self.tree["desk"]["close_hour"]),
            self.tree["desk"]["open_days"],
        )
        open_s = self.days / 7 * len(self.tree["desk"]["open_days"]) * hours * 3600
        load_ = number * talk * math.exp(sigma**2 / 2) / open_s
        reps, blocked = 0, 1.0
        while blocked > max(missed or 0.0, 0.001) and reps < 200:
            reps += 1
            blocked = load_ * blocked / (reps + load_ * blocked)
        self.tree["desk"] |= {"reps": reps, "lines": 2 * reps}
        self.say("desk.reps", "data", f"as few as miss at most the {missed or 0.0:.1%} missed while open")
        self.say("desk.lines", "assumption", "two for each person")

    def answers(self) -> None:
        """Take how often is asked, and what comes of it, from the answers."""
        counts = dict(
            self.ask.rows(
                """select case when outcome = 'answered' and campaign like '(%' then 'decoy'
                       when outcome = 'answered' and campaign is null then 'internet'
                       else outcome end, count(*)
                   from answers where asked_at >= ? and asked_at < ? group by 1""",
                self.opens,
                self.ends,
            )
        )
        whole = sum(counts.values())
        if not whole:
            return
        told = self.tree["observer"]["answers"]
        asked = whole - counts.get("not_asked", 0)
        told["asked"] = round(asked / whole, 4)
        self.say("observer.answers.asked", "data", f"{asked} of {whole}")
        if not asked:
            return
        told["declined"] = round(counts.get("declined", 0) / asked, 4)
        self.say("observer.answers.declined", "data", f"of {asked} asked")
        spoke = {name: counts.get(name, 0) / asked for name in ("internet", "decoy", "unknown")}
        named = counts.get("answered", 0) / asked
        kept = sum(told[name] for name in ("first", "last", "salient")) or 1.0
        if named or any(spoke.values()):
            told |= {name: round(share, 4) for name, share in spoke.items()}
            for name in ("first", "last", "salient"):
                told[name] = round(told[name] / kept * named, 4)
                self.say(f"observer.answers.{name}", "assumption", "the share that named a campaign, divided")
            for name in spoke:
                self.say(f"observer.answers.{name}", "data", f"of {asked} asked")

    def campaigns(self) -> None:
        """List the supplier's campaigns: channel, schedule, meetings, traces and costs."""
        rows = self.ask.rows(
            """with named as (
                 select campaign, channel from touches union all select campaign, channel from costs)
               select campaign, mode(channel) from named
               where campaign is not null and campaign not like '(%' group by 1 order by 1"""
        )
        for name, channel in rows:
            self.tree["campaigns"][name] = self._campaign(name, channel or "other")
        loss = self.tree["observer"]["cookie_loss"]
        free, seen = self.ask.row(
            """select count(*) filter (where kind = 'visit' and (campaign is null or campaign like '(%')),
               count(*) from touches where occurred_at >= ? and occurred_at < ?""",
            self.opens,
            self.ends,
        )
        if not seen:
            return
        needs = self.needs()
        self.tree["observer"]["organic_visits"] = min(50.0, round(free / (1 - loss or 1.0) / needs, 4))
        self.say("observer.organic_visits", "data", f"{free} visits without a campaign")

    def needs(self) -> float:
        """Return about how many needs arise in the window."""
        need = self.tree["needs"]["order"]
        sizes = self.tree["market"]["sizes"].values()
        demand = sum(each["share"] * each["demand"] for each in sizes) / sum(each["share"] for each in sizes)
        return float(max(1e-9, need["per_year"] * demand * self.tree["accounts"] * self.years))

    def _campaign(self, name: str, channel: str) -> Tree:
        place, usual, years = f"campaigns.{name}", habit(channel), self.years
        touches = self.ask.rows(
            """select (occurred_at at time zone 'UTC')::date - ?::date, kind = 'call', count(*) from touches
               where campaign = ? and occurred_at >= ? and occurred_at < ? group by 1, 2 order by 1""",
            self.opens.date(),
            name,
            self.opens,
            self.ends,
        )
        seen = {day: number for day, call, number in touches if not call}
        calls = {day: number for day, call, number in touches if call}
        kinds = self.ask.rows(
            """select kind from touches where campaign = ? and kind in ('visit', 'form', 'message', 'event')
               group by 1 order by count(*) desc, kind limit 1""",
            name,
        )
        held: Tree = {
            "channel": channel,
            "audience": usual.audience,
            "response": usual.response if seen else 0.0,
            "response_kind": kinds[0][0] if kinds else "visit",
            "number": "own" if calls else "none",
        }
        self.say(f"{place}.channel", "data", "")
        self.say(f"{place}.number", "data", "calls on a number of its own" if calls else "no calls seen")
        self.say(f"{place}.response_kind", "data", "most of its touches")
        self.say(f"{place}.audience", "assumption", f"of the channel {channel}")
        self.say(f"{place}.response", "assumption", f"of the channel {channel}")
        loss = self.tree["observer"]["cookie_loss"]
        if seen:
            meetings = sum(seen.values()) / usual.response / max(0.05, 1 - loss)
            how = f"{sum(seen.values())} tracked responses, {usual.response:g} a meeting (assumption)"
        elif calls:
            meetings = sum(calls.values()) / CALLED
            how = f"{sum(calls.values())} calls, {CALLED:g} a meeting (assumption)"
        else:
            meetings, how = (
                self.tree["accounts"] * years,
                "nothing tracked: one a company (assumption)",
            )
        self._costs(name, place, held)
        days = seen or calls or self._paid_days(name)
        flights = _flights(days, self.days)
        if usual.audience == "all" and flights and sum(e - b for b, e, _ in flights) < _ALWAYS * self.days:
            weight = sum(number for _, _, number in flights)
            each = meetings / self.tree["accounts"] / weight
            held["flights"] = [
                {
                    "from_day": float(begin + shift),
                    "to_day": float(end + shift),
                    "exposures": min(MOST_MET, number * each),
                }
                for shift in (-YEAR, 0)
                for begin, end, number in flights
                if begin + shift >= -YEAR
            ]
            self.say(f"{place}.flights", "data", f"{how}; the year before it alike (assumption)")
        else:
            reached = self.tree["accounts"] * years
            if usual.audience == "researching":
                need = self.tree["needs"]["order"]
                reached = (
                    self.needs() * need["lifetime_days"] * math.exp(need["lifetime_sigma"] ** 2 / 2) / YEAR
                )
            held["per_year"] = min(MOST_MET, meetings / reached)
            self.say(f"{place}.per_year", "data", how)
        return held

    def _costs(self, name: str, place: str, held: Tree) -> None:
        # What falls into the window of a cost that is spread over days.
        rows = self.ask.rows(
            """select direct, lower(coalesce(category, '')), sum(amount_minor
                 * greatest(0, date_diff('day', greatest(period_start, ?::date), least(period_end, ?::date)))
                 / greatest(1, date_diff('day', period_start, period_end)))
               from costs where campaign = ? group by 1, 2""",
            self.opens.date(),
            self.ends.date(),
            name,
        )
        movable = sum(
            amount for direct, kind, amount in rows if direct and not any(word in kind for word in _BOOKED)
        )
        fixed = sum(amount for *_, amount in rows) - movable
        held["fixed_minor"] = round(fixed / self.years, 2)
        held["variable_minor"] = round(movable / self.years / self.tree["accounts"] * 1000, 2)
        if rows:
            self.say(f"{place}.fixed_minor", "data", "indirect costs, stands, bookings: fixed")
            self.say(f"{place}.variable_minor", "data", "direct costs: movable")
        else:
            self.say(f"{place}.fixed_minor", "data", "no cost entered")
            self.say(f"{place}.variable_minor", "data", "no cost entered")

    def _paid_days(self, name: str) -> dict[int, int]:
        rows = self.ask.rows(
            """select greatest(period_start, ?::date) - ?::date, least(period_end, ?::date) - ?::date
               from costs
               where campaign = ? and amount_minor > 0 and period_end > ?::date and period_start < ?::date""",
            *(2 * (self.opens.date(),)),
            self.ends.date(),
            self.opens.date(),
            name,
            self.opens.date(),
            self.ends.date(),
        )
        return {day: 1 for begin, end in rows for day in range(begin, max(end, begin + 1))}


def _flights(days: Mapping[int, int], length: int) -> list[tuple[int, int, int]]:
    """Cut days with something seen into flights: first day, day after the last, and how much was seen."""
    flights: list[tuple[int, int, int]] = []
    for day in sorted(days):
        if not 0 <= day < length:
            continue
        if flights and day - flights[-1][1] < _PAUSE:
            begin, _, number = flights[-1]
            flights[-1] = (begin, day + 1, number + days[day])
        else:
            flights.append((day, day + 1, days[day]))
    return flights
