"""Forms on pages: who may read what was typed, spam marked and taken back, and who is told by mail."""

from collections.abc import Callable
from datetime import timedelta
from html import unescape

from flask.testing import FlaskClient
from sqlalchemy import Engine

from tests.cast import ACME_DESK, BOREALIS, moment
from tests.web.people import form
from tests.web.test_decide import text
from tests.web.test_sites import RIGHT, send
from tracking.records import sites, web_forms
from tracking.records.web_forms import Post
from tracking.storage import db

Enter = Callable[[str], FlaskClient]
NOON = moment("2026-03-02 12:00")
SCRIPT = "<script>alert(1)</script>"


def sent(engine: Engine, number: int = 1, **more: object) -> None:
    """A form of Borealis', with a script in each of its fields that may hold one."""
    given: dict[str, object] = {
        "told": {"person": "Ada Byron", "email": "ada@borealis.example", "phone": BOREALIS,
                 "company": "Borealis", "message": SCRIPT, "heard_from": "fair"},
        "others": {SCRIPT: SCRIPT},
        "came": {"landing": "https://www.acme.example/?utm_medium=email", "referrer": ""},
    }  # fmt: skip
    with db.transaction(engine) as session:
        site = sites.add(session, f"Shop {number}", at=NOON, origins=["https://x.example"], number=ACME_DESK)
        at = NOON + timedelta(minutes=number)
        post = Post(site_id=site.id, post_key=str(number), at=at, page=f"acme.example/{number}", token=None,
                    **(given | more))  # type: ignore[arg-type]  # fmt: skip
        web_forms.keep(session, site, post, region="SE")


def test_a_form_is_read_by_those_who_answer_it_and_its_number_is_shown_on_record(
    signed_in: Enter, engine: Engine
) -> None:
    sent(engine)
    rep, viewer = signed_in("rep"), signed_in("viewer")
    page = rep.get("/forms/1").text
    assert SCRIPT not in page
    assert SCRIPT in unescape(page)
    assert BOREALIS not in page
    assert "How did you hear about us? Trade show" in text(page)
    assert BOREALIS in rep.post("/forms/1/numbers", data=form(page)).text
    assert "number show form 1" in text(signed_in("administrator").get("/audit").text)
    seen = text(viewer.get("/forms/1").text)
    assert ("alert(1)" in seen, "Ada Byron" in seen, "Borealis" in seen) == (False, False, True)
    assert viewer.post("/forms/1/numbers", data=form(page)).status_code in (400, 403)
    assert "Borealis Ada Byron newsletter" in text(viewer.get("/forms").text).replace("email", "newsletter")
    assert viewer.get("/forms/2").status_code == 404


def test_spam_is_marked_and_taken_back_on_the_page(signed_in: Enter, engine: Engine) -> None:
    sent(engine)
    sent(engine, 2, signs=[web_forms.TRAP, web_forms.FAST])
    sent(engine, 3, told={"message": "Hello"})
    client = signed_in("rep")
    spam = text(client.get("/forms?state=spam").text)
    assert ("acme.example/2" in spam, "acme.example/1" in spam) == (True, False)
    assert "acme.example/3" in text(client.get("/forms?site=3").text)
    page = client.get("/forms/2").text
    assert "people do not see was filled in, it was filled in faster" in text(page)
    assert "counts for no company" in text(client.get("/forms/3").text)
    assert client.post("/forms/2/spam", data=form(page) | {"spam": "0"}).status_code == 303
    assert "It was taken for spam" not in text(client.get("/forms/2").text)
    assert client.post("/forms/2/spam", data=form(page) | {"spam": "0"}).status_code == 409
    assert client.post("/forms/1/spam", data=form(page) | {"spam": "1"}).status_code == 303
    assert "This form is kept and counts nowhere" in text(client.get("/forms/1").text)


def test_a_website_says_who_is_told_of_its_forms_and_when_nobody_is(signed_in: Enter) -> None:
    client = signed_in("marketer")
    assert send(client, "/sites/new", **(RIGHT | {"notice_to": "sales"}))[0] == 422
    told = RIGHT | {"notice_to": "sales@acme.example", "notice_language": "sv"}
    assert send(client, "/sites/new", **told)[0] == 303
    page = text(client.get("/sites/1").text)
    assert "no email server is set, so nothing is sent to sales@acme.example" in page
    assert send(client, "/sites/1/edit", **(told | {"notice_to": ""}))[0] == 303
    assert "none: no email address is set" in text(client.get("/sites/1").text)
    assert "forms.js" in client.get("/sites/1").text
