"""No caller's number and no secret is in any log, whatever goes wrong."""

import json
from http.client import HTTPConnection
from urllib.parse import urlencode

from benchmarks.trust.faults import locked
from benchmarks.trust.house import KEY, TOKEN, Bar, House, Line, house, rings, sid, signed
from tracking import clock
from tracking.access import tokens
from tracking.storage import db

CALLER = "+442079460777"
WORDS = ("Canary Lindqvist", "canary-password-Q7", "canary+form@acme.example")


def run(database: str, _scale: float) -> list[Bar]:
    """Let everything go wrong with names and numbers that are looked for in the log afterwards."""
    with house(database) as acme:
        with acme.opened() as engine, db.transaction(engine) as session:
            secret = tokens.issue(session, "canary", ("read", "write:deals"), at=clock.now())
        acme.start()
        line = Line(acme.port)
        line.ask(rings(1, From=CALLER, CallerName=WORDS[0]))
        line.ask(rings(1, From=CALLER, CallerName="another body"))
        # Signed, and nothing that a call can be made of.
        status = {"CallSid": sid(2), "CallStatus": "completed", "From": CALLER, "CallDuration": CALLER}
        line.ask(signed("/providers/twilio/status", status))
        line.ask(signed("/providers/twilio/status", {"CallSid": CALLER, "CallStatus": "x", "From": CALLER}))
        line.ask(rings(3, From=CALLER).replace(b"X-Twilio-Signature: ", b"X-Twilio-Signature: x"))
        line.ask(b"POST /providers/twilio/voice?From=" + CALLER.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        with locked(acme):
            line.ask(rings(4, From=CALLER, CallerName=WORDS[0]))
            _pages(acme, secret)
        _pages(acme, secret)
        line.close()
        acme.end()
        log = acme.log.read_bytes()
    sought = [
        CALLER,
        CALLER[1:],
        CALLER[1:].replace("44", "0", 1),
        secret,
        TOKEN,
        KEY,
        *WORDS,
    ]
    hits = sorted(
        {word for word in sought if word.encode() in log or urlencode({"": word})[1:].encode() in log}
    )
    shown = ", ".join(word[:6] + "…" for word in hits)
    found = f"{len(hits)} of {len(sought)} canaries in {len(log):,} bytes of log {shown}".rstrip()
    return [Bar("canaries", database, found, not hits and bool(log))]


def _pages(acme: House, secret: str) -> None:
    """Use the API and the sign-in, rightly and wrongly."""
    line = HTTPConnection("127.0.0.1", acme.port, timeout=60)
    head = {
        "Host": "calls.acme.example",
        "Authorization": f"Bearer {secret}",
        "Content-Type": "application/json",
    }
    for method, path, body in (
        ("GET", f"/api/v1/calls?caller={urlencode({'': CALLER})[1:]}", None),
        ("POST", "/api/v1/deals", json.dumps({"account": {"phone": CALLER}, "stage": 7})),
        ("POST", "/api/v1/forms", json.dumps({"phone": CALLER, "email": WORDS[2]})[:-1]),
        ("GET", f"/calls?q={urlencode({'': CALLER})[1:]}", None),
        ("GET", "/sign-in", None),
        ("POST", "/sign-in", urlencode({"email": WORDS[2], "password": WORDS[1]})),
    ):
        line.request(method, path, body, head)
        line.getresponse().read()
    line.close()
