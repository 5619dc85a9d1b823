"""What the pages show, and that nothing in them can run."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from tests.cast import BOREALIS, CATALOGUE_NUMBER, moment
from tracking.records import answers, campaigns
from tracking.storage import db
from tracking.storage.vocabulary import CallStatus, Medium, Outcome
from tracking.telephony import calls, numbers
from tracking.telephony.calls import CallEvent

SCRIPT = "<script>alert(1)</script>"
Enter = Callable[[str], FlaskClient]


def ring(engine: Engine, name: str = "Borealis", said: str | None = None) -> None:
    with db.transaction(engine) as session:
        event = CallEvent(
            provider="twilio",
            provider_call_id="CA1",
            dialled=(CATALOGUE_NUMBER,),
            caller=BOREALIS,
            caller_name=name,
            started_at=moment("2026-03-29 00:30"),
            status=CallStatus.completed,
            talk_s=95,
        )
        number = numbers.add(session, CATALOGUE_NUMBER, at=event.started_at, provider="twilio")
        owner = campaigns.add(session, f"Catalogue {name}", "print", at=event.started_at)
        piece = campaigns.add_material(session, owner, "Spring", at=event.started_at, medium=Medium.print)
        numbers.assign(session, number, piece, starts_at=moment("2026-01-01"))
        call = calls.record(session, [event], region="SE")[0].call
        if said:
            answers.log(session, Outcome.answered, asked_at=event.started_at, call=call, verbatim=said)


def test_a_call_is_listed_with_its_campaign_and_the_callers_last_digits_only(
    signed_in: Enter, engine: Engine
) -> None:
    ring(engine, said="saw you at the fair")
    page = signed_in("viewer").get("/calls").text
    assert "Catalogue Borealis" in page
    assert "saw you at the fair" in page
    assert "…001" in page
    assert BOREALIS.lstrip("+") not in page


def test_roi_is_shown_side_by_side_under_three_models(signed_in: Enter, engine: Engine) -> None:
    ring(engine)
    models = "&model=position-based&model=time-decay&model=linear"
    page = signed_in("viewer").get(f"/roi?from=2026-01-01&to=2026-12-31{models}")
    assert page.status_code == 200
    for words in ("position-based", "time-decay", "linear", "Catalogue Borealis", "Total"):
        assert words in page.text


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("from=spring", "From: &#39;spring&#39; is not a date"),
        ("from=2026-05-01&to=2026-01-01", "To: the last day, 2026-01-01, is before the first day"),
    ],
)
def test_a_wrong_period_is_explained_beside_the_default_one(
    signed_in: Enter, query: str, reason: str
) -> None:
    page = signed_in("viewer").get(f"/roi?{query}")
    assert page.status_code == 422
    assert reason in page.text


@pytest.mark.parametrize("path", ["/calls", "/roi?from=2026-01-01&to=2026-12-31"])
def test_a_script_in_a_name_or_an_answer_is_text(signed_in: Enter, engine: Engine, path: str) -> None:
    ring(engine, name=SCRIPT, said=SCRIPT)
    page = signed_in("viewer").get(path)
    assert SCRIPT not in page.text
    assert "&lt;script&gt;" in page.text


LISTS = (
    "/roi", "/roi/trends", "/roi/advice", "/beside", "/views", "/simulator", "/calls", "/campaigns",
    "/numbers", "/costs", "/companies", "/deals", "/imports", "/jobs", "/tokens",
)  # fmt: skip


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_every_list_that_is_still_empty_says_what_to_do_first(signed_in: Enter) -> None:
    client = signed_in("administrator")
    for path in LISTS:
        main = client.get(path).text.split("<main")[1]
        found = re.search(r'<div class="rt-empty">(.*?)</div>', main, re.DOTALL)
        assert found, path
        # A button, or the form itself on the same page.
        assert "<a " in found[1] or "<form" in main, path


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_page_has_one_name_in_menu_title_and_heading(signed_in: Enter) -> None:
    client = signed_in("marketer")
    menu = client.get("/quality").text.split("<nav")[1].split("</nav>")[0]
    named = re.findall(r'<a href="([^"]+)"[^>]*><svg.*?</svg> ([^<]+)<', menu)
    assert len(named) > 20
    for path, label in named:
        page = client.get(path).text
        # An empty installation has the steps for a first page.
        label = "Getting started" if path == "/" else label
        assert re.findall(r"<title>(.*?) – |<h1>([^<]*)</h1>", page) == [(label, ""), ("", label)], path


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_the_menu_says_where_one_is_also_on_the_pages_below(signed_in: Enter) -> None:
    client = signed_in("administrator")
    places = {
        "/campaigns/new": ("Campaigns", "true"),
        "/campaigns": ("Campaigns", "page"),
        "/quality": ("Data quality", "page"),
        "/roi/behind": ("ROI by campaign", "true"),
        "/desk/unasked": ("Call back", "page"),
        "/": ("Home", "page"),
    }
    for path, (label, state) in places.items():
        menu = client.get(path).text.split("<nav")[1].split("</nav>")[0]
        assert re.findall(r'aria-current="(\w+)"><svg.*?</svg> ([^<]+)<', menu) == [(state, label)], path
