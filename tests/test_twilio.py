"""Twilio: who may report a call, what its words mean, and what it is told to do."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from flask.testing import FlaskClient
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import Engine, func, select
from twilio.request_validator import RequestValidator, get_signature_algorithm
from twilio.twiml.voice_response import Dial, VoiceResponse
from werkzeug.datastructures import MultiDict

from tests.cast import ACME_DESK, BOREALIS, CATALOGUE_NUMBER, COBALT, moment
from tests.twilio_requests import (
    ACCOUNT,
    BASE,
    TOKEN,
    destination,
    dial_ended,
    incoming,
    post,
    progress,
    sid,
    signature,
    with_twilio,
)
from tracking.app import create_app
from tracking.storage import db
from tracking.storage.config import Settings
from tracking.storage.models import Call, InboxEvent
from tracking.storage.vocabulary import CallStatus
from tracking.telephony import numbers
from tracking.telephony.inbox import Inbox
from tracking.telephony.providers import interpreters, twilio
from tracking.telephony.routing import Routing

SALES = "+46701740691"
NINE = moment("2026-03-02 09:00")
# The database has no part in this; one kind will do.
on_sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


@pytest.fixture
def acme(settings: Settings) -> Settings:
    """Acme Pumps with a Twilio account."""
    return with_twilio(settings)


@pytest.fixture
def client(acme: Settings, engine: Engine, patient: None) -> FlaskClient:
    """Twilio's way to Acme, whose catalogue number rings in sales."""
    with db.transaction(engine) as session:
        numbers.add(session, CATALOGUE_NUMBER, at=NINE, provider="twilio", destination=SALES)
    return create_app(acme, engine).test_client()


def the_call(engine: Engine) -> Call:
    with db.transaction(engine) as session:
        return session.scalars(select(Call)).one()


def kept(engine: Engine) -> int:
    with db.reading(engine) as session:
        return session.scalar(select(func.count()).select_from(InboxEvent)) or 0


# --- Who may report a call -------------------------------------------------------------------------------


def test_a_signed_call_rings_where_its_number_points(client: FlaskClient, engine: Engine) -> None:
    reply = post(client, "voice", incoming(sid(1)))
    assert (reply.status_code, reply.mimetype) == (200, "text/xml")
    assert ET.fromstring(reply.data).findtext("Dial/Number") == SALES
    call = the_call(engine)
    assert (call.provider, call.provider_call_id) == ("twilio", sid(1))
    assert (call.dialled, call.caller, call.status) == (CATALOGUE_NUMBER, BOREALIS, CallStatus.ringing)


@on_sqlite
@pytest.mark.parametrize("endpoint", ["voice", "dial", "status"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Twilio-Signature": ""},
        {"X-Twilio-Signature": "Zm9yZ2Vk"},
        {"X-Twilio-Signature": "åäö"},
        {"X-Twilio-Signature": "x", "X-Twilio-Webhooks-Signature-Settings": "algorithm=HMAC_SHA256"},
        {"X-Twilio-Signature": "x", "X-Twilio-Webhooks-Signature-Settings": "key=k1,algorithm=MD5"},
    ],
)
def test_an_unsigned_or_forged_request_is_refused_and_writes_nothing(
    client: FlaskClient, engine: Engine, endpoint: str, headers: Mapping[str, str]
) -> None:
    reply = client.post(f"/providers/twilio/{endpoint}", data=incoming(sid(1)), headers=dict(headers))
    assert reply.status_code == 403
    assert BOREALIS not in reply.text
    assert kept(engine) == 0


def test_without_keys_in_the_settings_every_request_is_refused(settings: Settings, engine: Engine) -> None:
    client = create_app(settings.model_copy(update={"base_url": BASE}), engine).test_client()
    assert post(client, "voice", incoming(sid(1))).status_code == 403
    empty = signature(incoming(sid(1)), endpoint="voice", key="")
    headers = {"X-Twilio-Signature": empty}
    assert client.post("/providers/twilio/voice", data=incoming(sid(1)), headers=headers).status_code == 403


def test_a_get_request_is_refused(client: FlaskClient) -> None:
    assert client.get("/providers/twilio/voice").status_code == 405


def test_two_tokens_are_valid_while_one_replaces_the_other(settings: Settings, engine: Engine) -> None:
    tokens = (SecretStr("the new token"), SecretStr(TOKEN))
    client = create_app(with_twilio(settings, auth_tokens=tokens), engine).test_client()
    for number, key in enumerate(["the new token", TOKEN]):
        form = incoming(sid(number))
        headers = {"X-Twilio-Signature": signature(form, endpoint="voice", key=key)}
        assert client.post("/providers/twilio/voice", data=form, headers=headers).status_code == 200


@on_sqlite
@pytest.mark.parametrize(
    ("key", "algorithm", "stated", "status"),
    [
        ("shared secret", "HMAC_SHA256", "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256", 200),
        ("shared secret", "HMAC_SHA256", "algorithm=HMAC_SHA256, key=webhooks_sharedkey_1", 200),
        ("shared secret", "HMAC_SHA256", "key=webhooks_sharedkey_2,algorithm=HMAC_SHA256", 403),
        ("shared secret", "HMAC_SHA256", "key=webhooks_sharedkey_1", 403),
        ("shared secret", "HMAC_SHA1", "key=webhooks_sharedkey_1,algorithm=HMAC_SHA1", 403),
        (TOKEN, "HMAC_SHA256", "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256", 403),
        (TOKEN, "HMAC_SHA256", "", 403),
        (TOKEN, "HMAC_SHA1", "", 200),
        (TOKEN, "HMAC_SHA1", "key=webhooks_sharedkey_1", 200),
    ],
)
def test_each_algorithm_has_keys_of_its_own(
    settings: Settings, engine: Engine, key: str, algorithm: str, stated: str, status: int
) -> None:
    shared = {"webhooks_sharedkey_1": SecretStr("shared secret")}
    client = create_app(with_twilio(settings, shared_keys=shared), engine).test_client()
    form = incoming(sid(1))
    headers = {
        "X-Twilio-Signature": signature(form, endpoint="voice", key=key, algorithm=algorithm),
        "X-Twilio-Webhooks-Signature-Settings": stated,
    }
    assert client.post("/providers/twilio/voice", data=form, headers=headers).status_code == status


@on_sqlite
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("https://calls.acme.example", "https://calls.acme.example:443"),
        ("https://calls.acme.example:443", "https://calls.acme.example"),
        ("http://calls.acme.example", "http://calls.acme.example:80"),
        ("https://calls.acme.example:8443", "https://calls.acme.example"),
        ("https://calls.acme.example/ringtrail", "https://calls.acme.example:443/ringtrail"),
    ],
)
def test_the_port_may_be_written_or_not(settings: Settings, engine: Engine, ours: str, theirs: str) -> None:
    client = create_app(with_twilio(settings, base_url=ours), engine).test_client()
    form = incoming(sid(1))
    headers = {"X-Twilio-Signature": signature(form, endpoint="voice", base=theirs)}
    assert client.post("/providers/twilio/voice", data=form, headers=headers).status_code == 200


def test_the_host_header_neither_helps_a_forger_nor_hurts_behind_a_proxy(client: FlaskClient) -> None:
    form = incoming(sid(1))
    seen = {"Host": "10.0.0.7:8000", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    good = seen | {"X-Twilio-Signature": signature(form, endpoint="voice")}
    assert client.post("/providers/twilio/voice", data=form, headers=good).status_code == 200
    evil = {"Host": "evil.example"}
    evil["X-Twilio-Signature"] = signature(form, endpoint="voice", base="http://evil.example")
    assert client.post("/providers/twilio/voice", data=form, headers=evil).status_code == 403


def test_another_account_is_refused_where_ours_is_named(settings: Settings, engine: Engine) -> None:
    client = create_app(with_twilio(settings, account_sid=ACCOUNT), engine).test_client()
    assert post(client, "voice", incoming(sid(1))).status_code == 200
    assert post(client, "voice", incoming(sid(2)) | {"AccountSid": "AC" + "1" * 32}).status_code == 403


@on_sqlite
def test_a_json_body_is_covered_by_its_hash_in_the_address(client: FlaskClient, engine: Engine) -> None:
    body = json.dumps(incoming(sid(1))).encode()
    query = "bodySHA256=" + RequestValidator(TOKEN).compute_hash(body.decode())
    address = f"/providers/twilio/status?{query}"
    headers = {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(BASE + address, {})}
    reply = client.post(address, data=body, content_type="application/json", headers=headers)
    assert (reply.status_code, reply.text) == (
        400,
        "CallSid: is missing; the request cannot be told from others\n",
    )
    changed = client.post(address, data=body + b" ", content_type="application/json", headers=headers)
    assert changed.status_code == 403
    bare = {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(BASE + address.split("?")[0], {})}
    reply = client.post(address.split("?")[0], data=body, content_type="application/json", headers=bare)
    assert reply.status_code == 403, "a body that nothing signs"
    assert kept(engine) == 0


NAMES = st.sampled_from(["CallSid", "From", "To", "a", "A", "ab", "b", "å", ""])
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
FORMS = st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=3), max_size=5)
URLS = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https", "HTTPS"]),
    st.sampled_from(["calls.acme.example", "localhost", "10.1.2.3"]),
    st.sampled_from(["", ":443", ":80", ":8080"]),
    st.sampled_from(["", "/", "/providers/twilio/voice", "/a b", "/%7Ex;y"]),
    st.sampled_from(["", "?", "?a=b", "?a=b&a=c", "?q=%20", "#part"]),
)
ALGORITHMS = st.sampled_from(["HMAC_SHA1", "HMAC_SHA256", "hmac_sha256", "HMAC_MD5"])
KEYS = st.sampled_from([TOKEN, "another", "nyckel åäö"])


@given(URLS, URLS, FORMS, FORMS, KEYS, KEYS, ALGORITHMS, ALGORITHMS, st.booleans())
def test_our_verdict_on_a_form_is_that_of_twilios_package(
    signed_url: str,
    url: str,
    signed_form: dict[str, list[str]],
    form: dict[str, list[str]],
    signing_key: str,
    key: str,
    signing: str,
    algorithm: str,
    same: bool,
) -> None:
    if same:
        url, form, key, algorithm = signed_url, signed_form, signing_key, signing
    assume(signing != "HMAC_MD5")
    made = RequestValidator(signing_key).compute_signature(signed_url, MultiDict(signed_form), signing)
    theirs = RequestValidator(key).validate(url, MultiDict(form), made, algorithm)
    assert twilio.is_signed(url, form, b"", made, key, algorithm) == theirs


@given(URLS, st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.booleans(), KEYS, ALGORITHMS)
def test_our_verdict_on_a_body_is_that_of_twilios_package(
    url: str, body: str, changed: bool, key: str, algorithm: str
) -> None:
    assume(algorithm != "HMAC_MD5")
    oracle = RequestValidator(key)
    url += ("&" if "?" in url else "?") + "bodySHA256=" + oracle.compute_hash(body)
    assume("#" not in url)
    made = oracle.compute_signature(url, {}, algorithm)
    body += "!" * changed
    theirs = oracle.validate(url, body, made, algorithm)
    assert twilio.is_signed(url, None, body.encode(), made, key, algorithm) == theirs


@given(
    st.lists(
        st.sampled_from(
            ["key=k", "algorithm=HMAC_SHA1", "algorithm=HMAC_SHA256", " algorithm = x", "", "algorithm="]
        ),
        max_size=4,
    )
)
def test_the_stated_algorithm_is_read_as_twilios_package_reads_it(parts: list[str]) -> None:
    header = ",".join(parts)
    ours, _ = twilio._keys(header, twilio.TwilioSettings())
    assert ours == get_signature_algorithm(header).upper()


@st.composite
def mutations(draw: st.DrawFn) -> tuple[list[tuple[str, str]], str, str]:
    """A genuine form and signature, with one thing changed that matters."""
    form = list(incoming(sid(1)).items())
    made = signature(dict(form), endpoint="voice")
    index = draw(st.integers(0, len(form) - 1))
    name, value = form[index]
    what = draw(
        st.sampled_from(["value", "name", "added", "dropped", "doubled", "signature", "query", "key"])
    )
    query = ""
    if what == "value":
        changed = draw(VALUES.filter(lambda v: v != value))
        form[index] = (name, changed)
    elif what == "name":
        form[index] = (name + draw(st.sampled_from("xyz")), value)
    elif what == "added":
        form.append(("Extra", draw(VALUES)))
    elif what == "dropped":
        del form[index]
    elif what == "doubled":
        form.append((name, draw(VALUES.filter(lambda v: v != value))))
    elif what == "signature":
        flipped = draw(st.integers(0, len(made) - 3))
        made = made[:flipped] + ("A" if made[flipped] != "A" else "B") + made[flipped + 1 :]
    elif what == "query":
        query = draw(st.sampled_from(["?a=1", "?bodySHA256=0", "?CallSid=x"]))
    else:
        made = signature(dict(form), endpoint="voice", key=draw(st.text(st.characters(codec="ascii"))))
    return form, made, query


@pytest.fixture(scope="module")
def acme_doors(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[FlaskClient, Engine]]:
    """Acme's addresses, over one database for many requests that must leave nothing."""
    settings = with_twilio(Settings(data_dir=tmp_path_factory.mktemp("doors"), key="a2V5" * 10 + "a2U="))
    engine = db.connect(settings)
    db.upgrade(engine)
    yield create_app(settings, engine).test_client(), engine
    engine.dispose()


@given(mutations())
def test_a_changed_request_is_never_accepted(
    acme_doors: tuple[FlaskClient, Engine], mutation: tuple[list[tuple[str, str]], str, str]
) -> None:
    client, engine = acme_doors
    form, made, query = mutation
    headers = {"X-Twilio-Signature": made}
    reply = client.post(f"/providers/twilio/voice{query}", data=MultiDict(form), headers=headers)
    assert reply.status_code == 403
    assert kept(engine) == 0


ANYTHING = st.one_of(
    VALUES, st.sampled_from([sid(1), "completed", "12", "-1", "x" * 300, "\x00", "+442079460001"])
)
FIELDS = st.sampled_from(
    [
        *("CallSid", "ParentCallSid", "From", "To", "Called", "Caller", "CallerName", "CallStatus"),
        *("CallDuration", "DialCallStatus", "DialCallSid", "DialCallDuration", "SequenceNumber", "Timestamp"),
    ]
)


@given(st.sampled_from(["voice", "dial", "status"]), st.dictionaries(FIELDS, ANYTHING))
def test_whatever_is_signed_is_kept_or_refused_by_name_and_never_fails(
    client: FlaskClient, endpoint: str, form: dict[str, str]
) -> None:
    reply = post(client, endpoint, form)
    assert reply.status_code in (200, 204, 400)
    if reply.status_code == 400:
        assert reply.text.partition(":")[0].endswith(("Sid", "Status", "SequenceNumber"))


def test_a_signed_request_without_its_call_is_refused_naming_the_field(
    client: FlaskClient, engine: Engine
) -> None:
    form = incoming(sid(1))
    del form["CallSid"]
    reply = post(client, "voice", form)
    assert (reply.status_code, reply.text) == (
        400,
        "CallSid: is missing; the request cannot be told from others\n",
    )
    misplaced = post(client, "voice", form | {"CallSid": BOREALIS})
    assert misplaced.status_code == 400
    assert BOREALIS not in misplaced.text
    assert kept(engine) == 0


def test_a_form_of_thousands_of_fields_is_refused_before_it_is_read(client: FlaskClient) -> None:
    """Reading and signing them took longer than a call has to be answered, for whoever had no signature."""
    fields = incoming("CA1") | {f"Field{n}": "" for n in range(5000)}
    assert post(client, "voice", fields).status_code == 413
    fields = incoming("CA1") | {f"Field{n}": "" for n in range(100)}
    assert post(client, "voice", fields).status_code == 200


def test_a_body_beyond_the_limit_is_refused(client: FlaskClient) -> None:
    assert post(client, "status", incoming(sid(1)) | {"Extra": "x" * 300_000}).status_code == 413


# --- What Twilio is told ---------------------------------------------------------------------------------


def alike(ours: ET.Element, theirs: ET.Element) -> bool:
    return (
        (ours.tag, ours.text or "", ours.attrib) == (theirs.tag, theirs.text or "", theirs.attrib)
        and len(ours) == len(theirs)
        and all(map(alike, ours, theirs))
    )


@on_sqlite
def test_the_forwarding_is_what_twilios_package_writes(acme: Settings) -> None:
    theirs = VoiceResponse()
    dial = Dial(answer_on_bridge=True, timeout=25, action=f"{BASE}/providers/twilio/dial", method="POST")
    dial.number(
        SALES,
        status_callback=f"{BASE}/providers/twilio/status",
        status_callback_event="initiated ringing answered completed",
        status_callback_method="POST",
    )
    theirs.append(dial)
    assert alike(twilio.forwarding(SALES, acme), ET.fromstring(str(theirs)))


@on_sqlite
def test_with_nobody_to_ring_the_caller_is_told_so(acme: Settings) -> None:
    theirs = VoiceResponse()
    theirs.say(
        "We are sorry, nobody can take your call at the moment. Please try again later.", language="en-GB"
    )
    theirs.hangup()
    assert alike(twilio.forwarding(None, acme), ET.fromstring(str(theirs)))


@on_sqlite
def test_text_in_an_answer_is_data_and_never_markup(acme: Settings) -> None:
    text = ET.tostring(twilio.forwarding("<Hangup/>&", acme))
    assert ET.fromstring(text).findtext("Dial/Number") == "<Hangup/>&"


# --- What its words mean ---------------------------------------------------------------------------------


def test_a_completed_callers_leg_does_not_prove_that_anybody_answered(
    client: FlaskClient, engine: Engine
) -> None:
    post(client, "voice", incoming(sid(1)))
    post(client, "status", progress(sid(1), "completed", NINE, 0, 31))
    call = the_call(engine)
    assert (call.status, call.talk_s, call.answered_at) == (CallStatus.missed, None, None)
    assert (call.duration_s, call.ended_at) == (31, NINE)


@pytest.mark.parametrize(
    ("dial", "status"),
    [
        ("completed", CallStatus.completed),
        ("answered", CallStatus.completed),
        ("busy", CallStatus.missed),
        ("no-answer", CallStatus.missed),
        ("failed", CallStatus.missed),
        ("canceled", CallStatus.missed),
        ("a-word-of-next-year", CallStatus.missed),
    ],
)
def test_the_end_of_the_dial_says_whether_somebody_answered(
    client: FlaskClient, engine: Engine, dial: str, status: CallStatus
) -> None:
    post(client, "voice", incoming(sid(1)))
    reply = post(client, "dial", dial_ended(sid(1), dial, 42))
    assert [element.tag for element in ET.fromstring(reply.data)] == ["Hangup"]
    call = the_call(engine)
    assert (call.status, call.talk_s) == (status, 42 if status is CallStatus.completed else None)


def test_the_leg_to_the_destination_tells_when_somebody_answered(client: FlaskClient, engine: Engine) -> None:
    post(client, "voice", incoming(sid(1)))
    post(client, "status", destination(sid(1), "initiated", NINE, 0))
    post(client, "status", destination(sid(1), "ringing", NINE + timedelta(seconds=1), 1))
    post(client, "status", destination(sid(1), "in-progress", NINE + timedelta(seconds=12), 2))
    assert the_call(engine).status is CallStatus.answered
    post(client, "status", destination(sid(1), "completed", NINE + timedelta(seconds=72), 3, 60))
    post(client, "status", progress(sid(1), "completed", NINE + timedelta(seconds=73), 0, 61))
    call = the_call(engine)
    assert call.status is CallStatus.completed
    assert (call.started_at, call.answered_at, call.ended_at) == (
        NINE,
        NINE + timedelta(seconds=12),
        NINE + timedelta(seconds=73),
    )
    assert (call.duration_s, call.talk_s) == (61, 60)
    assert (call.dialled, call.caller) == (CATALOGUE_NUMBER, BOREALIS)


@pytest.mark.parametrize("withheld", ["anonymous", "+266696687", "", "Restricted"])
def test_a_withheld_caller_stays_nobody_in_particular(
    client: FlaskClient, engine: Engine, withheld: str
) -> None:
    for number in range(2):
        post(client, "voice", incoming(sid(number), caller=withheld))
    with db.reading(engine) as session:
        first, second = session.scalars(select(Call)).all()
        assert (first.caller, first.caller_hash, str(first.caller_state)) == (None, None, "withheld")
        assert first.contact_id != second.contact_id


@pytest.mark.parametrize(
    ("dialled", "rings"),
    [("+442079460999", ACME_DESK), ("sip:desk@acme.example", ACME_DESK), ("", ACME_DESK)],
)
def test_a_call_to_a_number_we_do_not_know_rings_the_default_desk(
    client: FlaskClient, engine: Engine, dialled: str, rings: str
) -> None:
    reply = post(client, "voice", incoming(sid(1), to=dialled))
    assert ET.fromstring(reply.data).findtext("Dial/Number") == rings
    assert the_call(engine).tracking_number_id is None


# --- Which way does it go? -------------------------------------------------------------------------------

CUSTOMER = COBALT
OUTGOING = {
    "a call made through the API that shows our number": {
        "From": CATALOGUE_NUMBER,
        "To": CUSTOMER,
        "Direction": "outbound-api",
    },
    "a call from a browser": {"From": "client:anna", "To": CUSTOMER, "Direction": "inbound"},
    "a call from a desk telephone": {
        "From": "sip:anna@acme.sip.example",
        "To": CUSTOMER,
        "Direction": "inbound",
    },
    "a call between two browsers": {"From": "client:anna", "To": "client:olof", "Direction": "inbound"},
    "a call from our exchange to outside": {
        "From": ACME_DESK,
        "To": CUSTOMER,
        "Direction": "trunking-terminating",
    },
    "a call back that shows our number, whatever else it says": {
        "From": CATALOGUE_NUMBER,
        "To": CUSTOMER,
        "Direction": "inbound",
    },
}


@on_sqlite
@pytest.mark.parametrize("form", OUTGOING.values(), ids=OUTGOING)
def test_a_call_that_goes_out_is_no_call_to_us_and_is_counted(
    client: FlaskClient, acme: Settings, engine: Engine, form: Mapping[str, str]
) -> None:
    ours = dict(form) | {
        "Caller": form["From"],
        "Called": form["To"],
    }
    leg = destination(sid(1), "answered", NINE, 1) | {"From": form["From"], "To": CUSTOMER}
    assert post(client, "status", leg).status_code == 204, "its second leg comes first"
    assert post(client, "status", progress(sid(1), "completed", NINE, 2, 33) | ours).status_code == 204
    assert post(client, "status", leg | {"CallStatus": "completed", "SequenceNumber": "3"}).status_code == 204
    with db.reading(engine) as session:
        assert session.scalars(select(Call)).all() == []
    box = Inbox(engine, acme, Routing(acme), interpreters(), lambda: NINE)
    assert (box.backlog().failed, box.backlog().waiting, box.turned_away()) == (0, 0, 3)


def test_a_caller_by_sip_with_a_number_is_a_caller(client: FlaskClient, engine: Engine) -> None:
    post(client, "voice", incoming(sid(1), caller=f"sip:{BOREALIS}@carrier.example"))
    assert the_call(engine).caller == BOREALIS
