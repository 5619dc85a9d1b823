"""Of requests that somebody changed on the way none is accepted and none breaks anything."""

from random import Random
from urllib.parse import quote, urlencode

from sqlalchemy import func, select

from benchmarks.trust.house import BASE, NUMBER, TOKEN, Bar, house
from tests.twilio_requests import Form, incoming, sid, signature, with_twilio
from tracking.app import create_app
from tracking.storage import db
from tracking.storage.models import Call

FORGERIES = 100_000
PATH = "/providers/twilio/voice"


def run(database: str, scale: float) -> list[Bar]:
    """Change signed requests in one place each, and send them; 100,000 at full scale."""
    if database != "sqlite":
        return []  # nothing of them reaches a database
    chance, wanted = Random(3), max(200, int(FORGERIES * scale))
    accepted, broken, refused = 0, 0, 0
    with house(database) as acme, acme.opened() as engine:
        app = create_app(with_twilio(acme.settings), engine)
        client = app.test_client()
        for number in range(wanted):
            form = incoming(sid(number), to=NUMBER)
            status = client.post(**_changed(form, chance)).status_code
            accepted += status < 300
            broken += status >= 500
        for number in range(100):
            form = incoming(sid(10_000_000 + number), to=NUMBER)
            head = {"X-Twilio-Signature": signature(form, endpoint="voice")}
            refused += client.post(PATH, data=form, headers=head).status_code != 200
        app.extensions["ringtrail"]["inbox"].close()
        with db.reading(engine) as session:
            held = session.scalar(select(func.count(Call.id))) or 0
    found = (
        f"{accepted} of {wanted:,} accepted, {broken} broke something, {refused} of 100 honest ones refused"
    )
    return [Bar("forgeries", database, found, (accepted, broken, refused, held) == (0, 0, 0, 100))]


def _changed(form: Form, chance: Random) -> dict[str, object]:
    """Return what to post: a signed request that is another in one way."""
    signed = signature(form, endpoint="voice")
    path, body, kind = PATH, urlencode(form), "application/x-www-form-urlencoded"
    name = chance.choice(sorted(form))
    match chance.randrange(12):
        case 0:  # a bit of the body
            at = chance.randrange(len(body))
            body = body[:at] + chr(ord(body[at]) ^ 1) + body[at + 1 :]
        case 1:  # a character of the signature
            at = chance.randrange(len(signed) - 2)
            signed = signed[:at] + ("A" if signed[at] != "A" else "B") + signed[at + 1 :]
        case 2:  # a field twice, with another value
            body += "&" + urlencode({name: "another"})
        case 3:  # a field more
            body += "&" + urlencode({"Extra": "1"})
        case 4:  # a field less
            body = urlencode({key: value for key, value in form.items() if key != name or not value})
            body += "" if form[name] else "&x=1"
        case 5:  # another address
            path = chance.choice(["/providers/twilio/status", "/providers/twilio/dial", f"{PATH}?a=1"])
        case 6:  # another account's key
            signed = signature(form, endpoint="voice", key=TOKEN[::-1])
        case 7:  # another way to sign
            signed = signature(form, endpoint="voice", algorithm="HMAC_SHA256")
        case 8:  # another place to send it to
            signed = signature(
                form, endpoint="voice", base=chance.choice([BASE + ".evil", "http://127.0.0.1"])
            )
        case 9:  # no form any more
            kind = chance.choice(["application/json", "text/plain", "multipart/form-data; boundary=x"])
        case 10:  # a value encoded twice
            body = urlencode({key: quote(value) if key == name else value for key, value in form.items()})
            body += "&twice=%25" if quote(form[name]) == form[name] else ""
        case _:  # no signature, or something else in its place
            signed = chance.choice(["", "=", signed + signed, "\x7f", "é"])
    return {"path": path, "data": body, "content_type": kind, "headers": {"X-Twilio-Signature": signed}}
