"""The JSON API as another program uses it: a campaign from its number to the line of the ROI table."""

import pytest
from sqlalchemy import Engine, event

from tests.api_client import Api, fair
from tests.cast import BOREALIS, FAIR_NUMBER, SEARCH_NUMBER
from tests.imports import ON_SQLITE
from tracking.storage.config import Settings


@pytest.fixture
def api(settings: Settings, engine: Engine) -> Api:
    """A program that may do everything but see callers' numbers in full."""
    return Api(settings, engine)


def ids(page: dict[str, object]) -> list[int]:
    items = page["items"]
    assert isinstance(items, list)
    return [item["id"] for item in items]


def test_a_fair_is_followed_from_its_number_to_its_return(api: Api) -> None:
    fair(api)
    call = api.get("/calls?sort=started_at")["items"][0]
    assert (call["campaign"], call["ad_material"], call["caller"]) == ("Fair 2026", "Stand", "…001")
    assert call["started_at"] == "2026-02-10T09:00:00Z"
    api.patch(f"/calls/{call['id']}", {"lead_status": "good_lead", "note": "wants two pumps"})
    api.patch(f"/accounts/{call['account_id']}", {"name": "Borealis Foods"})
    api.post("/costs", {"campaign": "Fair 2026", "period_start": "2026-02-01", "period_end": "2026-03-01",
                        "currency": "EUR", "category": "stand", "amount_minor": 100_000})  # fmt: skip
    deal = {"account": {"company": "Borealis Foods"}, "stage": "won", "amount_minor": 200_000}
    api.post("/deals", deal | {"currency": "EUR", "closed_at": "2026-05-04T12:00:00Z"})

    report = api.get("/reports/roi?model=linear&from=2026-01-01&to=2026-12-31")
    row = report["rows"][0]
    assert (row["campaign"], row["cost_minor"], row["revenue_minor"], row["roi"]) == (
        "Fair 2026",
        100_000,
        200_000,
        1.0,
    ), "cost 1,000 and revenue 2,000 give 100 %"
    assert (row["calls"], row["qualified_leads"], row["customers"]) == (3, 1.0, 1.0)
    assert (report["first_day"], report["last_day"], report["currency"]) == (
        "2026-01-01",
        "2026-12-31",
        "EUR",
    )


def test_calls_are_filtered_by_what_is_known_of_them(api: Api) -> None:
    fair(api)
    first, second, third = ids(api.get("/calls?sort=started_at"))
    api.patch(f"/calls/{third}", {"spam": True})
    api.patch(f"/calls/{first}", {"lead_status": "good_lead"})
    api.post("/answers", {"call_id": second, "outcome": "not_asked"})
    assert ids(api.get("/calls")) == [third, second, first], "the latest first"
    assert ids(api.get("/calls?from=2026-02-11T00:00:00Z&to=2026-02-12T09:00:00Z")) == [second], (
        "from is covered, to is not"
    )
    assert ids(api.get("/calls?status=missed")) == [second]
    assert ids(api.get("/calls?lead_status=good_lead")) == [first]
    assert ids(api.get("/calls?spam=true")) == [third], "spam is marked, never hidden"
    assert ids(api.get("/calls?unasked=true&spam=false")) == [first]
    assert ids(api.get("/calls?unasked=false")) == [second]
    assert len(ids(api.get("/calls?campaign=Fair%202026"))) == 3
    assert ids(api.get("/calls?campaign=Another")) == []
    assert len(ids(api.get(f"/calls?number=%2B{FAIR_NUMBER[1:]}"))) == 3
    assert ids(api.get(f"/calls?number=%2B{SEARCH_NUMBER[1:]}")) == []


def test_pages_cover_every_row_once(api: Api) -> None:
    for number in range(7):
        api.post("/campaigns", {"name": f"Campaign {number}", "channel": "search"})
    pages = [api.get(f"/campaigns?per_page=3&page={page}&sort=-created_at") for page in (1, 2, 3, 4)]
    assert [len(page["items"]) for page in pages] == [3, 3, 1, 0]
    assert {(page["total_pages"], page["total_records"], page["per_page"]) for page in pages} == {(3, 7, 3)}
    names = [item["name"] for page in pages for item in page["items"]]
    assert names == [f"Campaign {number}" for number in (6, 5, 4, 3, 2, 1, 0)]


def test_a_page_costs_a_handful_of_queries_however_long_it_is(api: Api, engine: Engine) -> None:
    fair(api)
    counted: list[str] = []

    def queries(path: str) -> int:
        counted.clear()
        api.get(path)
        return len(counted)

    for last in range(20):
        caller = f"+4420794600{last + 10}"
        call = {"dialled": FAIR_NUMBER, "caller": caller, "started_at": f"2026-03-{last + 1:02d}T09:00:00Z"}
        call = api.post("/calls", call)
        api.post("/answers", {"call_id": call["id"], "outcome": "answered", "campaign": "Fair 2026"})
        deal = {"account": {"phone": caller}, "stage": "lead", "amount_minor": 1, "currency": "EUR"}
        api.post("/deals", deal)
        cost = {"period_start": "2026-02-01", "period_end": f"2026-03-{last + 1:02d}", "category": "stand"}
        api.post("/costs", cost | {"campaign": "Fair 2026", "currency": "EUR", "amount_minor": last})
    event.listen(engine, "before_cursor_execute", lambda *args: counted.append(args[2]))
    for path in ("/calls", "/answers", "/deals", "/costs", "/touches", "/contacts", "/accounts"):
        assert api.get(path)["total_records"] >= 20, path
        assert queries(f"{path}?per_page=20") == queries(f"{path}?per_page=2"), path


def test_a_page_holds_at_most_250_rows(api: Api) -> None:
    assert api.get("/calls")["per_page"] == 100
    assert api.get("/calls?per_page=250")["per_page"] == 250
    assert api.refused("GET", "/calls?per_page=251")["errors"][0]["field"] == "per_page"


def test_the_next_free_number_is_shown_taken_released_and_rests(api: Api) -> None:
    api.post("/campaigns", {"name": "Search", "channel": "search"})
    piece = {"campaign": "Search", "ad_material": "Landing page"}
    api.post("/ad-materials", {"campaign": "Search", "name": "Landing page", "medium": "online"})
    assert api.refused("GET", "/tracking-numbers/next-free")["status"] == 409
    added = api.post("/tracking-numbers", {"number": "070-174 06 07", "provider": "twilio"})
    assert added["number"] == SEARCH_NUMBER, "a national number is completed by the installation's region"
    standing = f"/tracking-numbers/{added['id']}/standing"
    assert api.get("/tracking-numbers/next-free")["id"] == added["id"]
    assert api.get(standing)["life"] == "available"
    held = api.post("/assignments/next-free", piece)
    assert held["tracking_number"]["number"] == SEARCH_NUMBER
    assert api.get(standing)["assignment"]["ad_material"] == {
        "id": 1,
        "name": "Landing page",
        "campaign_id": 1,
        "campaign": "Search",
    }
    assert api.refused("POST", "/assignments/next-free", piece)["status"] == 409
    early = {"at": "2026-01-01T00:00:00Z"}
    problem = api.refused("POST", f"/assignments/{held['id']}/release", early)
    assert [e["field"] for e in problem["errors"]] == ["at"], (
        "a release before its assignment names its field"
    )
    released = api.post(f"/assignments/{held['id']}/release", {"at": "2199-01-01T00:00:00Z"})
    assert released["quarantined_until"] == "2199-03-02T00:00:00Z", "online: 60 days"
    assert api.get(f"{standing}?at=2199-02-01T00:00:00Z")["life"] == "quarantined"


def test_a_number_out_of_service_is_not_given_out(api: Api) -> None:
    number = api.post("/tracking-numbers", {"number": SEARCH_NUMBER, "provider": "twilio"})["id"]
    changed = api.patch(f"/tracking-numbers/{number}", {"status": "disabled", "label": "returned"})
    assert (changed["status"], changed["label"]) == ("disabled", "returned")
    assert api.get(f"/tracking-numbers/{number}/standing")["life"] == "disabled"
    assert api.refused("GET", "/tracking-numbers/next-free")["status"] == 409


def test_a_number_cannot_be_sent_round_in_circles(api: Api) -> None:
    number = api.post("/tracking-numbers", {"number": SEARCH_NUMBER, "provider": "twilio"})["id"]
    problem = api.refused("PATCH", f"/tracking-numbers/{number}", {"destination": SEARCH_NUMBER})
    assert (problem["status"], problem["errors"][0]["field"]) == (422, "destination")


def test_answers_correct_one_another_and_all_are_kept(api: Api) -> None:
    fair(api)
    call = ids(api.get("/calls"))[0]
    first = api.post("/answers", {"call_id": call, "outcome": "answered", "verbatim": "a colleague"})
    second = api.post("/answers", {"call_id": call, "outcome": "answered", "campaign": "Fair 2026"})
    third = api.post("/answers", {"call_id": call, "outcome": "declined"})
    chain = [first["id"], second["id"], third["id"]]
    for answer in chain:
        assert ids(api.get(f"/answers/{answer}/chain")) == chain
    assert ids(api.get(f"/answers?call_id={call}&standing=true")) == [third["id"]]
    assert sorted(ids(api.get("/answers?standing=false"))) == chain[:2]
    assert api.get(f"/answers/{first['id']}")["verbatim"] == "a colleague"
    assert second["campaign"] == "Fair 2026"


def test_merged_companies_count_as_one_and_can_be_parted(api: Api) -> None:
    fair(api)
    first, second = ids(api.get("/accounts"))
    merged = api.post(f"/accounts/{second}/merge", {"into": first})
    assert merged["merged_into_id"] == first
    assert ids(api.get("/accounts?merged=false")) == [first]
    ring = api.refused("POST", f"/accounts/{first}/merge", {"into": second})
    assert (ring["status"], ring["errors"][0]["field"]) == (422, "into")
    assert api.refused("POST", f"/accounts/{second}/merge", {"into": first})["status"] == 409
    assert api.post(f"/accounts/{second}/unmerge")["merged_into_id"] is None
    assert api.refused("POST", f"/accounts/{second}/unmerge")["status"] == 409
    people = ids(api.get(f"/contacts?account_id={second}"))
    assert api.post(f"/contacts/{people[0]}/merge", {"into": 1})["merged_into_id"] == 1
    assert api.post(f"/contacts/{people[0]}/unmerge")["merged_into_id"] is None
    assert api.patch(f"/contacts/{people[0]}", {"name": "Ada"})["name"] == "Ada"


def test_the_same_record_again_changes_nothing_and_a_newer_one_brings_up_to_date(api: Api) -> None:
    api.post("/campaigns", {"name": "Fair 2026", "channel": "fair"})
    deal = {"external_id": "D-1", "account": {"company": "Borealis Foods"}, "stage": "opportunity",
            "amount_minor": 870_000, "currency": "EUR"}  # fmt: skip
    cost = {"source_key": "invoice 7", "campaign": "Fair 2026", "period_start": "2026-02-01",
            "period_end": "2026-03-01", "currency": "EUR", "category": "tent", "amount_minor": 5}  # fmt: skip
    touch = {"source_key": "badge 9", "account": {"company": "Borealis Foods"}, "kind": "event",
             "occurred_at": "2026-02-03T10:00:00Z", "campaign": "Fair 2026"}  # fmt: skip
    rate = {"currency": "SEK", "day": "2026-01-01", "rate": 0.09}
    call = {"dialled": FAIR_NUMBER, "call_key": "1", "started_at": "2026-02-01T09:00:00Z"}
    for path, record, newer in (
        ("/deals", deal, {"stage": "won", "closed_at": "2026-05-04T12:00:00Z"}),
        ("/costs", cost, {"amount_minor": 6}),
        ("/touches", touch, {"kind": "form"}),
        ("/exchange-rates", rate, {"rate": 0.091}),
        ("/calls", call, {"status": "missed"}),
    ):
        first, again = api.ask("POST", path, record), api.ask("POST", path, record)
        changed = api.ask("POST", path, record | newer)
        assert (first.status_code, again.status_code, changed.status_code) == (201, 200, 200), path
        assert first.json == again.json
        assert changed.json is not None
        assert newer.items() <= changed.json.items()
        assert api.get(path)["total_records"] == 1


def test_costs_in_hours_are_worth_hours_times_rate(api: Api) -> None:
    cost = {"period_start": "2026-02-01", "period_end": "2026-03-01", "currency": "EUR", "category": "time"}
    saved = api.post("/costs", cost | {"minutes": 90, "hourly_rate_minor": 6000, "direct": False})
    assert (saved["amount_minor"], saved["direct"], saved["campaign"]) == (9000, False, None)
    assert ids(api.get("/costs?from=2026-02-28")) == [saved["id"]], "the last day is covered"
    assert ids(api.get("/costs?from=2026-03-01")) == [], "the end is exclusive"


def test_lists_of_deals_and_touches_are_filtered(api: Api) -> None:
    fair(api)
    deal = {"account": {"phone": BOREALIS}, "amount_minor": 1, "currency": "EUR"}
    won = api.post("/deals", deal | {"stage": "won", "closed_at": "2026-05-04T12:00:00Z"})
    api.post("/deals", deal | {"stage": "lead"})
    assert ids(api.get("/deals?stage=won")) == [won["id"]]
    assert ids(api.get("/deals?from=2026-05-01T00:00:00Z&to=2026-06-01T00:00:00Z")) == [won["id"]]
    assert len(ids(api.get(f"/deals?account_id={won['account_id']}&sort=-closed_at"))) == 2
    assert len(ids(api.get(f"/touches?account_id={won['account_id']}&kind=call"))) == 2
    assert len(ids(api.get("/touches?campaign=Fair%202026&from=2026-02-11T00:00:00Z"))) == 2


COST = {"period_start": "2026-02-01", "period_end": "2026-03-01", "currency": "EUR", "category": "stand"}
DEAL = {"account": {"company": "Borealis Foods"}, "stage": "lead", "amount_minor": 5, "currency": "EUR"}
WHOLE = {"/costs": COST | {"amount_minor": 5}, "/deals": DEAL}
BAD = [
    ("/calls", {"dialled": "1", "started_at": "2026-02-01T09:00:00"}, "started_at", "has no time zone"),
    ("/calls", {"dialled": "1", "started_at": 1769936400}, "started_at", "RFC 3339"),
    ("/calls", {"dialled": "1", "started_at": "0026-02-01T09:00:00Z"}, "started_at", "check the year"),
    ("/calls", {"dialled": "1", "started_at": "2026-02-01T09:00:00Z", "talk_s": -1}, "talk_s", "greater"),
    ("/calls", {"dialled": "1", "started_at": "2026-02-01T09:00:00Z", "dialed": "2"}, "dialed", "spelling"),
    ("/costs", {"amount_minor": -5}, "amount_minor", "greater than or equal to 0"),
    ("/costs", {"currency": "EUX"}, "currency", "'EUX' is not a currency code"),
    ("/costs", {"period_end": "2026-02-01"}, "period_end", "must be after"),
    ("/costs", {"minutes": 5, "amount_minor": None}, "hourly_rate_minor", "enter both hours and rate"),
    ("/costs", {"amount_minor": None}, "amount_minor", "enter an amount"),
    ("/costs", {"campaign": "Nobody's"}, "campaign", "not found"),
    ("/costs", {"ad_material": "Stand"}, "campaign", "enter the asset's campaign"),
    ("/deals", {"stage": "won"}, "closed_at", "enter the close date"),
    ("/deals", {"account": {}}, "account", "this deal has no company"),
    ("/answers", {"outcome": "declined"}, "call_id", "enter the call, contact, company or deal"),
    ("/answers", {"outcome": "declined", "call_id": 9}, "call_id", "call 9 not found"),
    ("/exchange-rates", {"currency": "EUR", "day": "2026-01-01", "rate": 1}, "currency", "needs no rate"),
    ("/exchange-rates", {"currency": "SEK", "day": "2026-01-01", "rate": 0}, "rate", "greater than 0"),
    ("/campaigns", {"name": " ", "channel": "fair"}, "name", "enter a name"),
    ("/tracking-numbers", {"number": "no number", "provider": "p"}, "number", "phone number"),
]  # fmt: skip


def test_bad_input_is_refused_by_the_name_of_its_field(api: Api) -> None:
    for path, change, field, reason in BAD:
        problem = api.refused("POST", path, WHOLE.get(path, {}) | change)
        assert problem["status"] == 422
        assert [(e["field"], reason in e["reason"]) for e in problem["errors"]] == [(field, True)], problem
        assert api.get(path)["total_records"] == 0


def test_a_parameter_that_does_not_exist_is_refused_not_ignored(api: Api) -> None:
    problem = api.refused("GET", "/calls?leadstatus=good_lead")
    assert problem["errors"] == [{"field": "leadstatus", "reason": "unknown field; check the spelling"}]


def test_what_does_not_exist_is_not_found(api: Api) -> None:
    for path in ("/calls/9", "/campaigns/9", "/deals/9", "/touches/9", "/costs/9", "/answers/9", "/nothing"):
        assert api.refused("GET", path)["status"] == 404
    assert api.refused("POST", "/accounts/9/unmerge")["status"] == 404


def test_a_name_that_is_taken_is_a_conflict(api: Api) -> None:
    api.post("/campaigns", {"name": "Fair 2026", "channel": "fair"})
    other = api.post("/campaigns", {"name": "Search", "channel": "search"})
    assert api.refused("POST", "/campaigns", {"name": "Fair 2026", "channel": "x"})["status"] == 409
    assert api.refused("PATCH", f"/campaigns/{other['id']}", {"name": "Fair 2026"})["status"] == 409
    assert api.patch(f"/campaigns/{other['id']}", {"name": "Search ads"})["channel"] == "search"


@ON_SQLITE
def test_a_touch_finds_its_campaign_by_its_tags_and_keeps_its_click_ids(api: Api) -> None:
    api.post("/campaigns", {"name": "Pumps", "channel": "paid search", "utm_campaign": "pumps-2026"})
    touch = {
        "source_key": "t1",
        "account": {"external_id": "A-1"},
        "occurred_at": "2026-05-01T08:00:00Z",
        "kind": "visit",
    }
    shown = api.post(
        "/touches", touch | {"landing_page": "https://acme.example/?utm_campaign=PUMPS-2026&gclid=x"}
    )
    assert (shown["campaign"], shown["click_ids"], shown["landing_page"]) == (
        "Pumps",
        {"gclid": "x"},
        "acme.example/",
    )
    by_tag = touch | {"source_key": "t2", "utm_campaign": "pumps-2026", "click_ids": {"msclkid": "y"}}
    assert api.post("/touches", by_tag)["campaign"] == "Pumps"
    direct = touch | {"source_key": "t3", "landing_page": "https://acme.example/", "referrer": ""}
    assert (api.post("/touches", direct)["channel"], api.get("/touches/3")["campaign"]) == ("direct", None)
    for wrong, field in (
        ({"referrer": "http://[::1"}, "referrer"),
        ({"click_ids": {"fooclid": "1"}}, "click_ids"),
        ({"landing_page": "http://[::1"}, "landing_page"),
    ):
        problem = api.refused("POST", "/touches", touch | wrong)
        assert field in str(problem), problem


def test_visits_of_a_day_replace_those_of_the_same_source(api: Api) -> None:
    api.post("/campaigns", {"name": "Pumps", "channel": "paid search", "utm_campaign": "pumps-2026"})
    day = {"day": "2026-03-01", "visits": 40}
    tags = {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "PUMPS-2026"}
    shown = api.post("/visits", day | tags)
    assert (shown["campaign"], shown["channel"], shown["visits"]) == ("Pumps", "paid search", 40)
    api.post("/visits", day | {"channel": "Direct", "visits": 5})
    assert api.post("/visits", day | tags | {"visits": 44})["id"] == shown["id"]
    assert [row["visits"] for row in api.get("/visits?from=2026-03-01&to=2026-03-02")["items"]] == [44, 5]
    assert api.get("/visits?campaign=Pumps")["total_records"] == 1
    assert "day" in str(api.refused("POST", "/visits", day | {"counted_by": "GA4"})), "it would count twice"
    for wrong in ({"visits": -1}, {"visits": 1.5}, {"day": "1 March"}, {"channel": "(total)"}):
        problem = api.refused("POST", "/visits", day | wrong)
        assert next(iter(wrong)) in str(problem), problem
