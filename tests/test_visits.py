"""Numbers of web visits from GA4, Matomo, Plausible and plain tables: replaced, never doubled, matched."""

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.cast import STOCKHOLM, moment
from tests.imports import NOW, ON_SQLITE, import_table
from tracking.errors import Invalid
from tracking.imports import undo
from tracking.records import campaigns, matching, visits
from tracking.records.sources import Sources, trace
from tracking.records.visits import VisitRecord
from tracking.storage import db
from tracking.storage.models import Campaign, Touch, VisitCount

GA4 = (
    "# ---\n# Traffic acquisition\n# Property: Acme - GA4\n# ---\n#\n# All Users\n"
    "# Start date: 20260301\n# End date: 20260331\n"
    "Session primary channel group (Default Channel Group),Sessions,Total revenue\n"
    "Grand total,1000,0\nOrganic Search,600,0\nPaid Search,399,0\nUnassigned,1,0\n"
    "\n# ---\n# Traffic by day\n# ---\nDate,Sessions\n20260301,40\n"
)
DAILY = (
    "date,campaign,channel,visits\n"
    "2026-03-01,Pumps,paid search,10\n"
    "2026-03-01,,Paid Search,5\n"
    "2026-03-01,,,2\n"
    '2026-03-02,Pumps,paid_search,"1,200"\n'
)


def add(engine: Engine, name: str, **tags: str) -> None:
    with db.transaction(engine) as session:
        campaigns.add(session, name, "paid search", at=moment("2026-01-01"), **tags)


def counted(engine: Engine) -> dict[tuple[str | None, str | None], int]:
    """Return the visits by channel and campaign."""
    with Session(engine) as session:
        return {(channel, name): count for channel, name, count in visits.by_source(session)}


def test_ga4s_channels_are_spread_over_the_days_of_the_report_and_add_up(engine: Engine) -> None:
    result = import_table(engine, "visits", GA4, name="ga4.csv")
    assert (result.format, result.created, result.refusals) == ("GA4 visits", 3, [])
    assert counted(engine) == {("organic search", None): 600, ("paid search", None): 399, (None, None): 1}
    with Session(engine) as session:
        days = select(VisitCount.day, VisitCount.visits).where(VisitCount.channel == "organic search")
        by_day = dict(session.execute(days.order_by(VisitCount.day)).all())
        assert (min(by_day), max(by_day), set(by_day.values())) == (
            date(2026, 3, 1),
            date(2026, 3, 31),
            {19, 20},
        )
        assert session.scalar(select(func.count(Touch.id))) == 0, "a sum is nobody's touch"


def test_a_day_that_comes_again_replaces_what_was_counted(engine: Engine) -> None:
    add(engine, "Pumps")
    for _ in range(2):
        assert import_table(engine, "visits", DAILY).refusals == []
    wanted = {("paid search", "Pumps"): 1210, ("paid search", None): 5, (None, None): 2}
    assert counted(engine) == wanted
    again = import_table(engine, "visits", DAILY.replace(",10\n", ",13\n"))
    assert (again.created, again.updated, again.skipped) == (0, 1, 3)
    assert counted(engine) == wanted | {("paid search", "Pumps"): 1213}


def test_what_nothing_tells_apart_cannot_be_counted_twice_even_without_campaign_and_channel(
    session: Session,
) -> None:
    session.add(VisitCount(day=date(2026, 3, 1), visits=1))
    session.flush()
    session.add(VisitCount(day=date(2026, 3, 1), visits=2))
    with pytest.raises(IntegrityError):
        session.flush()


@ON_SQLITE
def test_rows_of_one_day_and_source_are_added_up(engine: Engine) -> None:
    text = (
        "Date,Session campaign,Session source / medium,Landing page,Sessions\n"
        "20260301,Pumps,google / cpc,/a,3\n20260301,pumps,Google / CPC,/b,4\n"
        "20260301,(not set),(direct) / (none),/a,5\n20260301,(organic),google / organic,/a,6\n"
    )
    add(engine, "Pumps", utm_source="google", utm_medium="cpc", utm_campaign="pumps")
    result = import_table(engine, "visits", text)
    assert (result.created, result.skipped, result.refusals) == (3, 1, [])
    assert counted(engine) == {
        ("paid search", "Pumps"): 7,
        ("direct", None): 5,
        ("organic search", None): 6,
    }


@ON_SQLITE
@pytest.mark.parametrize(
    ("name", "text", "system", "found"),
    [
        (
            "Campaigns 2026-03-01 2026-03-31.csv",
            "Label,Visits,Actions\npumps-2026,120,340\n",
            "Matomo",
            ("other", "pumps-2026"),
        ),
        (
            "Export_Channels.csv",
            "label\tnb_visits\tnb_actions\nSearch Engines\t120\t1\n",
            "Matomo",
            ("organic search", None),
        ),
        (
            "utm_campaigns.csv",
            "name,visitors,bounce_rate\npumps-2026,120,40\n",
            "Plausible",
            ("other", "pumps-2026"),
        ),
        (
            "channels.csv",
            "name,visitors,bounce_rate\nOrganic Search,120,40\n",
            "Plausible",
            ("organic search", None),
        ),
        ("sources.csv", "name,visitors,bounce_rate\nGoogle,120,40\n", "Plausible", ("organic search", None)),
        (
            "websites.csv",
            "label,nb_visits,nb_actions\nwww.journal.example,120,1\n",
            "Matomo",
            ("referring site", None),
        ),
        (
            "sources.csv",
            "name,visitors,bounce_rate\nwww.bing.com,120,40\n",
            "Plausible",
            ("organic search", None),
        ),
        ("sources.csv", "name,visitors,bounce_rate\nDirect / None,120,40\n", "Plausible", ("direct", None)),
        (
            "visitors.csv",
            "date,visitors,pageviews,visits\n2026-03-01,90,300,120\n",
            "Plausible",
            (None, None),
        ),
    ],
)
def test_reports_of_web_analytics_are_read_as_what_they_are(
    engine: Engine, name: str, text: str, system: str, found: tuple[str | None, str | None]
) -> None:
    days = "" if "2026" in name + text.replace("pumps-2026", "") else "2026-03"
    result = import_table(engine, "visits", text, name=name, days=days)
    assert (result.format, result.refusals) == (f"{system} visits", [])
    with Session(engine) as session:
        rows = select(VisitCount.channel, VisitCount.utm_campaign, func.sum(VisitCount.visits))
        assert session.execute(rows.group_by(VisitCount.channel, VisitCount.utm_campaign)).all() == [
            (*found, 120)
        ]


@ON_SQLITE
def test_a_day_is_counted_by_one_system_in_one_way_unless_it_is_another_site(engine: Engine) -> None:
    import_table(engine, "visits", GA4)
    matomo = "Label,Visits,Actions\npumps-2026,120,340\n"
    result = import_table(engine, "visits", matomo, name="campaigns.csv", days="2026-03-31..2026-04-02")
    assert (result.created, result.refused) == (0, 1)
    assert "2026-03-31 is counted already by GA4 (channel)" in result.refusals[0].reason
    assert sum(counted(engine).values()) == 1000, "nothing of the row is left behind"
    shop = import_table(engine, "visits", matomo, name="campaigns.csv", days="2026-03", site="shop")
    assert (shop.created, sum(counted(engine).values())) == (1, 1120)
    with db.transaction(engine) as session:
        assert visits.remove(session, date(2026, 3, 1), date(2026, 4, 1)) == 1000
    assert import_table(engine, "visits", matomo, name="campaigns.csv", days="2026-03").created == 1


@ON_SQLITE
@pytest.mark.parametrize(
    ("name", "folder", "first", "last"),
    [
        ("Export _ Campaigns _ March 2026.csv", "", "2026-03-01", "2026-03-31"),
        ("Export _ Campaigns _ March 2 – 8, 2026.csv", "", "2026-03-02", "2026-03-08"),
        ("Export _ Campaigns _ week March 30 – April 5, 2026.csv", "", "2026-03-30", "2026-04-05"),
        ("Export _ Campaigns _ Sunday, March 1, 2026.csv", "", "2026-03-01", "2026-03-01"),
        ("Export _ Kampagnen _ März 2026.csv", "", "2026-03-01", "2026-03-31"),
        (
            "campaigns.csv",
            "Plausible export acme.example 2026-03-01 to 2026-03-31 ",
            "2026-03-01",
            "2026-03-31",
        ),
    ],
)
def test_days_are_read_from_the_name_that_a_system_gives_its_file(
    engine: Engine, name: str, folder: str, first: str, last: str
) -> None:
    text = "Label,Visits,Actions\npumps,120,340\n"
    result = import_table(engine, "visits", text, name=name, folder=folder)
    assert f"the file covers {first} to {last}" in result.notes


@ON_SQLITE
@pytest.mark.parametrize("name", ["pumps March 2026.csv", "Export _ Campaigns _ all.csv"])
def test_no_days_are_guessed_from_any_other_name(engine: Engine, name: str) -> None:
    with pytest.raises(Invalid, match="does not say which days"):
        import_table(engine, "visits", "Label,Visits,Actions\npumps,120,340\n", name=name)


@ON_SQLITE
@pytest.mark.parametrize(
    ("text", "days", "field"),
    [
        ("Label,Visits,Actions\npumps,1,1\n", "", "days: the file does not say which days"),
        ("Label,Visits,Actions\npumps,1,1\n", "someday", "days: not a valid date"),
        ("name,visitors,bounce_rate\n/pumps,1,1\n", "2026-03", "file: name holds pages"),
        ("date,channel\n2026-03-01,search\n", "", "file: no column for visits or visitors"),
    ],
)
def test_a_file_that_cannot_be_counted_says_what_to_do(
    engine: Engine, text: str, days: str, field: str
) -> None:
    with pytest.raises(Invalid, match=field):
        import_table(engine, "visits", text, days=days)


@ON_SQLITE
@pytest.mark.parametrize("count", ["-1", "1.5", "many", "", "1e5", "99999999999"])
def test_a_row_without_a_whole_number_of_visits_is_refused_and_the_others_come_in(
    engine: Engine, count: str
) -> None:
    text = f"date,channel,visits\n2026-03-01,search,{count}\n2026-03-02,search,7\n"
    result = import_table(engine, "visits", text)
    assert (result.created, [(one.line, one.column) for one in result.refusals]) == (1, [(2, "visits")])
    assert sum(counted(engine).values()) == 7


def test_visits_of_no_campaign_are_listed_tried_and_matched(engine: Engine) -> None:
    add(engine, "Pumps")
    text = (
        "date,utm_source,utm_medium,utm_campaign,visits\n"
        "2026-03-01,google,cpc,Spring,200\n2026-03-02,Google,CPC,spring,12\n2026-03-02,google,organic,,900\n"
    )
    import_table(engine, "visits", text)
    touch = "touch_id,account_id,occurred_at,kind,utm_campaign\n1,A-1,2026-03-02T08:00:00Z,visit,SPRING\n"
    import_table(engine, "touches", touch)
    with Session(engine) as session:
        first, *others = matching.unmatched(session, STOCKHOLM)
        assert (first.words, first.visits, first.channel) == ("google / cpc / Spring", 212, "paid search")
        assert [(one.words, one.touches) for one in others] == [("SPRING", 1)]
        pumps = session.scalars(select(Campaign)).one()
        seen = matching.preview(session, {"utm_campaign": "spring"}, pumps)
        assert (seen.looked_at, seen.before, seen.after) == (1000, 0, 100)
        assert (seen.visits, seen.touches) == (212, 1)
    with db.transaction(engine) as session:
        pumps = session.scalars(select(Campaign)).one()
        assert matching.match(session, pumps, {"utm_campaign": "spring"}, at=NOW) == (212, 1)
    with Session(engine) as session:
        assert matching.unmatched(session, STOCKHOLM) == []
        assert [touch.campaign.name for touch in session.scalars(select(Touch)) if touch.campaign] == [
            "Pumps"
        ]
    later = text.replace("2026-03-0", "2026-03-1")
    assert import_table(engine, "visits", later).refusals == []
    assert counted(engine)["paid search", "Pumps"] == 424


def test_an_import_of_visits_can_be_undone(engine: Engine) -> None:
    before = import_table(engine, "visits", DAILY)
    after = import_table(engine, "visits", DAILY.replace(",10\n", ",13\n") + "2026-03-03,,email,4\n")
    assert (before.run_id, after.created, after.updated) == (1, 1, 1)
    with db.transaction(engine) as session:
        undo.undo(session, 2, at=NOW)
    assert sum(counted(engine).values()) == 1217
    with db.transaction(engine) as session:
        undo.undo(session, 1, at=NOW)
    assert counted(engine) == {}


@ON_SQLITE
def test_a_months_row_is_spread_and_said_so_and_may_not_hold_a_day_that_has_its_own(engine: Engine) -> None:
    text = "month,channel,visits\n2026-02,email,28\n2026-03,email,31\n"
    result = import_table(engine, "visits", text, columns=["period=month"])
    assert "some rows cover several days" in " ".join(result.notes)
    assert sum(counted(engine).values()) == 59
    with pytest.raises(Invalid, match="2026-03-07 is counted by two rows of the same source"):
        import_table(engine, "visits", text + "2026-03-07,Email,1\n", columns=["period=month"])


def test_visits_that_came_before_their_campaign_was_entered_are_its_too(engine: Engine) -> None:
    import_table(engine, "visits", "date,utm_campaign,visits\n2026-03-01,Late%20Spring,9\n")
    add(engine, "Spring", utm_campaign="late spring")
    assert counted(engine) == {("paid search", "Spring"): 9}


def test_a_day_of_a_website_is_counted_by_the_script_or_by_a_file_never_by_both(session: Session) -> None:
    monday, tuesday = date(2026, 3, 2), date(2026, 3, 3)

    def file(day: date) -> object:
        told = VisitRecord(start=day, end=day + timedelta(days=1), visits=5, counted_by="GA4", site="Shop")
        [outcome] = visits.save(session, [told])
        return outcome

    seen = trace("https://www.acme.example/?utm_medium=email", "")
    assert file(monday) == "created"
    alike = [visits.one(day, "Shop", seen, Sources(session).of(seen)) for day in (monday, tuesday)]
    assert [visits.add(session, one, 2) for one in alike] == [False, True]
    assert visits.add(session, alike[1], 3)
    assert isinstance(file(tuesday), Invalid)
    counts = session.execute(select(VisitCount.day, VisitCount.counted_by, VisitCount.visits)).all()
    assert sorted(counts) == [(monday, "GA4", 5), (tuesday, visits.HERE, 5)]
