"""A market built from a supplier's tables, value by value."""

import datetime as dt

import pyarrow as pa
import pytest

from attribution.journeys import SCHEMAS
from simulator.habits import habit
from simulator.own import build


def at(day, hour=9):
    return dt.datetime(2026, 1, 1, hour, tzinfo=dt.UTC) + dt.timedelta(days=day)


def table(name, rows):
    schema = SCHEMAS[name]
    names = [field for field in schema if any(field.name in row for row in rows)]
    return pa.Table.from_pylist(rows, schema=pa.schema(names))


def order(number, day, value, **more):
    row = {"conversion_id": f"w{number}", "account_id": f"a{number}", "goal": "won", "converted_at": at(day)}
    return row | {"value_minor": value, "currency": "EUR"} | more


def touch(number, day, campaign, channel, kind="visit"):
    row = {"touch_id": f"t{campaign}{number}", "account_id": f"a{number % 50}", "occurred_at": at(day)}
    return row | {"campaign": campaign, "channel": channel, "kind": kind}


def cost(campaign, channel, amount, *, direct=True, category="media", first=0, last=365):
    days = {"period_start": at(first).date(), "period_end": at(last).date()}
    row = {"campaign": campaign, "channel": channel, **days, "amount_minor": amount, "currency": "EUR"}
    return row | {"category": category, "direct": direct}


# A year of ten orders, worth 100 to 1,000 with a margin of a third.
ORDERS = [order(n, 36 * n + 5, 10_000 * (n + 1), margin_minor=3_000 * (n + 1)) for n in range(10)]
FIRST = touch(0, 0, "adverts", "paid search")
LAST = touch(1, 364, "adverts", "paid search")


def test_values_margins_and_size_are_those_of_the_orders():
    own = build({"conversions": table("conversions", ORDERS)})
    need = own.scenario.needs["order"]
    # The median of the logarithms of 50,000 and 60,000 is that of their geometric mean.
    assert need.value_minor == round((50_000 * 60_000) ** 0.5)
    assert need.margin == pytest.approx(0.3)
    assert own.orders == 10
    assert own.scenario.accounts == 20, "twice the ten companies seen"
    assert own.origin("accounts")[0] == "assumption"
    assert own.origin("needs.order.value_minor")[0] == "data"
    assert own.scenario.desk.reps == 0
    assert own.origin("desk.reps")[0] == "assumption"


def test_repeat_orders_are_as_frequent_and_as_many_as_companies_placed():
    # Twenty companies order on day 10 and again on day 60, four on day 20 alone, one at the end of the year.
    placed = [(f"a{n}", day) for n in range(20) for day in (10, 60)]
    placed += [(f"b{n}", 20) for n in range(4)] + [("c", 364)]
    rows = [order(n, day, 50_000, account_id=name) for n, (name, day) in enumerate(placed)]
    own = build({"conversions": table("conversions", rows)})
    need = own.scenario.needs["order"]
    # 20 of the 44 orders of the first half year were followed by another. Of those asked for 80 % are won
    # (assumption), so that p stay where 0.8 p / (1 - 0.2 p) = 20/44, and one that comes after 50 days is
    # asked for 365 / 50 / 0.8 times a year.
    p = (20 / 44) / (0.8 + 0.2 * 20 / 44)
    assert need.repeat_win == 0.8
    assert need.repeat_end == pytest.approx(1 - p, abs=1e-4)
    assert need.repeat_per_year == pytest.approx(365 / 50 / 0.8)
    assert own.origin("needs.order.repeat_end") == ("data", "20 of 44 orders were followed by another")
    few = build({"conversions": table("conversions", rows[2:])}).scenario.needs["order"]
    assert few.repeat_end == 0.35, "with 19 of them as in the kind of need that is assumed"


def test_meetings_follow_from_responses_and_the_assumed_rate():
    touches = [FIRST, *(touch(n, 2 * n, "news", "email") for n in range(180)), LAST]
    own = build(
        {"conversions": table("conversions", ORDERS), "touches": table("touches", touches)}, accounts=100
    )
    news = own.scenario.campaigns["news"]
    loss = own.scenario.observer.cookie_loss
    # 180 visits, 0.08 a meeting, part of them not joined to a company, over 100 companies.
    assert news.per_year == pytest.approx(180 / 0.08 / (1 - loss) / 100)
    assert not news.flights
    assert news.number == "none"
    assert news.response_kind == "visit"


def test_a_fair_runs_in_flights_and_its_stand_cannot_be_moved():
    fair = [touch(n, 60 + n % 3, "fair", "trade show", "event") for n in range(30)]
    spend = [
        cost("fair", "trade show", 900_000, category="stand"),
        cost("fair", "trade show", 50_000, category="travel", first=50, last=70),
        cost("fair", "trade show", 70_000, direct=False),
    ]
    own = build(
        {
            "conversions": table("conversions", ORDERS),
            "touches": table("touches", [FIRST, *fair, LAST]),
            "costs": table("costs", spend),
        },
        accounts=100,
    )
    held = own.scenario.campaigns["fair"]
    flight = held.flights[-1]
    assert (flight.from_day, flight.to_day) == (60.0, 63.0)
    assert flight.exposures == pytest.approx(30 / 0.5 / (1 - own.scenario.observer.cookie_loss) / 100)
    assert held.flights[0].from_day == 60.0 - 365, "the year before alike"
    assert held.fixed_minor == pytest.approx(970_000)
    assert held.variable_minor == pytest.approx(50_000 / 100 * 1000)


def test_costs_outside_the_window_do_not_count():
    spend = [cost("adverts", "paid search", 100_000, first=-100, last=100)]
    own = build(
        {
            "conversions": table("conversions", ORDERS),
            "touches": table("touches", [FIRST, LAST]),
            "costs": table("costs", spend),
        },
        accounts=100,
    )
    assert own.scenario.campaigns["adverts"].variable_minor == pytest.approx(50_000 / 100 * 1000)


def test_answers_come_out_as_they_did():
    outcomes = ["not_asked"] * 5 + ["declined"] + ["unknown"] * 2 + ["answered"] * 2
    answers = [
        {"answer_id": f"n{n}", "account_id": f"a{n}", "asked_at": at(20 + n), "outcome": outcome}
        | ({"campaign": "adverts"} if outcome == "answered" else {})
        for n, outcome in enumerate(outcomes)
    ]
    own = build({"conversions": table("conversions", ORDERS), "answers": table("answers", answers)})
    told = own.scenario.observer.answers
    assert told.asked == 0.5
    assert told.declined == 0.2
    assert told.unknown == 0.4
    assert told.first + told.last + told.salient == pytest.approx(0.4, abs=1e-3)


def test_the_desk_is_open_when_calls_were_answered_and_has_as_many_people_as_miss_so_few():
    usual = {"campaign": None, "channel": None, "status": "completed", "duration_s": 130, "talk_s": 120}
    calls = [
        usual
        | {"call_id": f"c{n}", "account_id": f"a{n % 10}", "started_at": at(7 * (n // 10), 8 + n % 8)}
        | {"first_call": False, "spam": n % 50 == 0}
        for n in range(500)
    ]
    own = build({"conversions": table("conversions", ORDERS), "calls": table("calls", calls)})
    desk = own.scenario.desk
    assert (desk.open_hour, desk.close_hour) == (8.0, 16.0)
    assert desk.open_days == [3], "all on Thursdays"
    assert desk.talk_s == 120
    assert own.origin("desk.talk_s")[0] == "data"
    assert desk.reps >= 1
    # Ten marked as spam, of which so many are marked.
    assert desk.junk_per_day == pytest.approx(
        10 / own.scenario.observer.junk_marked / own.scenario.days, abs=1e-3
    )


def test_companies_are_known_by_numbers_or_by_names():
    """An export of an installation has numbers."""
    conversions = table("conversions", ORDERS)
    numbers = pa.array(range(len(ORDERS)))
    place = conversions.schema.get_field_index("account_id")
    own = build({"conversions": conversions.set_column(place, "account_id", numbers)})
    assert own.scenario.accounts == 20


def test_orders_without_a_value_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match="enter the values of deals"):
        build({"conversions": table("conversions", [order(1, 3, 0)])})


def test_channels_are_known_by_words_in_their_names():
    assert habit("Google Paid Search").audience == "researching"
    assert habit("Trade show").response == 0.5
    assert habit(None).audience == "all"
