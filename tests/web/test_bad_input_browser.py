"""Script, markup, style and template code in any text that a person, caller or file supplies stays text."""

import csv
import io
import re
from collections.abc import Callable
from datetime import date

import pytest
from flask import Flask
from playwright.sync_api import Error, Page
from sqlalchemy import Connection, String, Table, cast, literal, select, true, update

from tests.conftest import TABLES
from tests.web.conftest import Service
from tracking import clock
from tracking.access import jobs, tokens
from tracking.app import create_app
from tracking.demo import filling
from tracking.errors import say
from tracking.imports import kinds
from tracking.imports.uploads import UploadStore
from tracking.records import annotations, links, sites
from tracking.records.annotations import Event, Reading
from tracking.storage import db
from tracking.storage.column_types import Said, Sealed, SealedMapping, SealedSaid
from tracking.storage.models import (
    AdMaterial,
    AuditEntry,
    Call,
    CallHolder,
    Contact,
    Experiment,
    ImportRun,
    ReportSchedule,
    SavedView,
    Visitor,
    WebForm,
    WebVisit,
)
from tracking.storage.vocabulary import Certainty, ExperimentState, FormState, JobState, Outcome

Open = Callable[..., Page]
WORKER = False
CODE = (
    "\"'></script></textarea><img src=x onerror=window.__ran=1><script>window.__ran=2</script>"
    "<style>*{color:red}</style>{{7*7}}"
)
# What people, callers, providers and files write, column by column.
TEXTS: dict[str, set[str]] = {
    "account": {"name", "external_id", "domain", "industry", "region"},
    "ad_material": {"name", "kind", "edition"},
    "annotation": {"title", "note"},
    "answer": {"asked_by", "channel", "entered_by", "verbatim"},
    "api_token": {"name"},
    "app_user": {"name"},
    "audit_entry": {"actor", "action", "subject"},
    "call": {"caller_name", "note"},
    "call_holder": {"channel", "last_page", "runner_up_channel"},
    "campaign": {"name", "channel", "objective", "utm_source", "utm_medium", "utm_campaign"},
    "contact": {"name"},
    "cost": {"category", "note"},
    "deal": {"name", "external_id"},
    "experiment": {"name", "note", "created_by"},
    "indicator": {"name", "unit", "source"},
    "job": {"label", "error", "created_by"},
    "report_schedule": {"name", "last_error", "created_by"},
    "saved_view": {"name"},
    "short_link": {"slug", "target", "utm_source", "utm_medium", "utm_campaign", "created_by"},
    "site": {"name", "notice_to"},
    "source_rule": {"utm_source", "utm_medium", "utm_campaign"},
    "touch": {"channel", "utm_source", "utm_medium", "utm_campaign", "landing_page"},
    "tracking_number": {"label", "provider"},
    "visit_count": {"channel", "site", "counted_by", "utm_source", "utm_medium", "utm_campaign"},
    "web_form": {"page", "told", "others"},
    "web_visit": {"channel", "landing_page", "utm_source", "utm_medium", "utm_campaign"},
}
# Keys, hashes, codes and words of our own, which no form, file or call can fill with text.
OURS = {
    "account.name_key", "answer.source_key", "api_token.prefix", "api_token.secret_hash", "app_user.email",
    "app_user.fs_uniquifier", "app_user.language", "app_user.last_login_ip", "app_user.current_login_ip",
    "app_user.mf_recovery_codes", "app_user.password", "app_user.tf_primary_method", "app_user.theme",
    "app_user.tf_totp_secret", "call.caller_hash", "call.currency", "call.dialled", "call.provider",
    "call.provider_call_id", "campaign.currency", "contact_point.value_hash", "cost.currency",
    "cost.source_key", "data_change.scope", "deal.currency", "deal.external_key",
    "installation.deciding_model", "installation.first_key", "installation.logo_type",
    "installation.older_keys", "erasure.by", "erasure.receipt", "exchange_rate.currency", "setting.name",
    "audit_entry.seal", "audit_head.seal", "open_session.token_hash", "outgoing_mail.kind",
    "outgoing_mail.language", "tries.account", "tries.key",
    "idempotency_key.key", "idempotency_key.request_hash", "import_mapping.header_hash",
    "import_change.table_name", "import_hold.table_name",
    "import_mapping.kind", "import_run.kind", "inbox_event.body_hash", "inbox_event.error",
    "inbox_event.event_key", "inbox_event.provider", "installation.key_fingerprint", "job.kind",
    "material_picture.content_type", "report_schedule.cadence", "report_schedule.language",
    "saved_view.path", "touch.source_key", "visit_count.breakdown", "visit_count.told",
    "site.key", "site.number", "tracking_number.destination", "tracking_number.number", "visitor.token_hash",
    "call.caller", "contact.name_marks", "contact_point.value", "idempotency_key.body", "import_change.body",
    "inbox_event.body", "outgoing_mail.address", "setting.value", "site.notice_language", "touch.click_ids",
    "web_form.came", "web_form.post_key", "web_visit.click_ids",
    "import_run.file_name",  # written below
}  # fmt: skip
# Known to reports, filters and imports; no page of this installation shows it by itself.
UNSEEN = {
    "account.external_id", "account.domain", "answer.asked_by", "report_schedule.created_by",
    "visit_count.channel", "visit_count.site", "visit_count.counted_by", "visit_count.utm_source",
    "visit_count.utm_medium", "visit_count.utm_campaign", "touch.utm_source", "touch.utm_medium",
    "touch.utm_campaign", "touch.landing_page", "source_rule.utm_source", "source_rule.utm_medium",
    "source_rule.utm_campaign", "answer.entered_by", "call_holder.last_page", "short_link.created_by",
    "web_visit.channel", "web_visit.landing_page", "web_visit.utm_source", "web_visit.utm_medium",
    "web_visit.utm_campaign",
}  # fmt: skip


def test_every_column_of_text_is_either_tried_or_known_to_hold_none() -> None:
    columns = {
        f"{table.name}.{column.name}"
        for table in TABLES.values()
        for column in table.columns
        if isinstance(column.type, String | Said | Sealed) and not getattr(column.type, "enums", None)
    }
    tried = {f"{table}.{column}" for table, names in TEXTS.items() for column in names}
    assert columns - tried - OURS == set(), "say of a new column whether people fill it"
    assert tried - columns == set()


@pytest.fixture
def poisoned(service: Service) -> dict[str, str]:
    """A demo in which every text is code; what stands in addresses for an upload and a job."""
    at = clock.now()
    filling.fill(service.engine, at, accounts=15)
    store = UploadStore(service.settings.data_dir)
    content = io.StringIO()
    csv.writer(content).writerows(
        [
            [f"head.er.1{CODE}", "Company", "Deal ID", "Deal stage", "Amount"],
            [f"ce.ll.1{CODE}", "Borealis Foods", "d1", "won", f"va.lue.1{CODE}"],
        ]
    )
    upload = store.put(io.BytesIO(content.getvalue().encode()), f"fi.le.1{CODE}", by=f"gi.ver.1{CODE}", at=at)
    upload.kind = "deals"
    store.save(upload)
    kinds.take(service.engine, service.settings, upload, dry_run=True)
    with db.transaction(service.engine) as session:
        annotations.save_event(session, Event(title="x", starts_on=at.date(), note="x"))
        annotations.save_reading(
            session, Reading(name="x", day=date(2026, 3, 5), value=1, unit="x", source="x")
        )
        session.add(
            Experiment(
                name="x", note="x", created_by="x", campaign_id=1, regions=["x"], settle_weeks=1,
                created_at=at, starts_on=date(2026, 1, 5), ends_on=date(2026, 3, 1),
                state=ExperimentState.running,
            )
        )  # fmt: skip
        site = sites.add(session, "x", at=at, origins=["https://www.acme.example"], number="+46701740690")
        visitor = Visitor(site_id=site.id, token_hash="0" * 64, seen_at=at)
        session.add(visitor)
        session.flush()
        session.add(WebVisit(visitor_id=visitor.id, started_at=at, seen_at=at))
        session.add(
            CallHolder(
                call_id=1, site_id=site.id, started_at=at, certainty=Certainty.likely, holders=2,
                likelihood=0.6, runner_up=0.3, visitor_likelihood=0.6,
            )
        )  # fmt: skip
        session.add(
            WebForm(
                site_id=site.id, post_key="0" * 64, received_at=at, page="x", state=FormState.nobody,
                told={}, others={},
            )
        )  # fmt: skip
        piece = session.scalars(select(AdMaterial).order_by(AdMaterial.id)).first()
        assert piece is not None
        links.add(session, piece, "https://www.acme.example", slug="pumps", at=at, by="x")
        tokens.issue(session, "x", ["read"], at=at)
        job = jobs.enqueue(session, "import", "x", {"token": upload.token, "dry_run": True}, by="x", at=at)
        job.state, job.error, job.finished_at = JobState.failed, "x", at
        counts = dict.fromkeys(("created", "updated", "skipped", "refused"), 0)
        # It is sealed, so it too is written with the code in it.
        file_name = f"import_run.file_name.1{CODE}"
        session.add(ImportRun(kind="deals", file_name=file_name, finished_at=at, **counts))
        # What is on record cannot be changed, so it is written with the code in it.
        session.add(
            AuditEntry(at=at, **{name: f"audit_entry.{name}.1{CODE}" for name in TEXTS["audit_entry"]})
        )
        session.add(SavedView(user_id=1, name="x", path="/roi", shared=True))
        session.add(
            ReportSchedule(
                name="x", recipients=["anna@acme.example"], cadence="weekly", language="en",
                options={"query": {}, "span": "ended", "attachments": ["pdf"]},
                next_on=date(2030, 1, 1), last_error="x", created_by="x",
            )
        )  # fmt: skip
        for call in session.scalars(select(Call).limit(50)):
            call.tags = [f"ta.gs.{call.id}{CODE}"]
        session.flush()
        for name, columns in TEXTS.items():
            if name == "audit_entry":
                continue
            table = TABLES[name]
            fill(session.connection(), table, columns)
        upload.check_job = job.id
        # Of a caller whose name nobody entered, pages show the name that the network sent along.
        nameless = select(Call.contact_id).where(Call.id == 1).scalar_subquery()
        session.execute(update(Contact).where(Contact.id == nameless).values(name=None))
    store.save(upload)
    return {"token": upload.token, "job_id": str(upload.check_job)}


def fill(connection: Connection, table: Table, columns: set[str]) -> None:
    """Write code into columns of all rows, each with its place, so that it is known where it turns up."""
    ident = cast(table.c.id, String)
    values = {name: literal(f"{table.name}.{name}.") + ident + literal(CODE) for name in columns}
    # Only answers name a source; other outcomes hold no words.
    rows = table.c.outcome == Outcome.answered if table.name == "answer" else true()
    sealed = {name for name in columns if isinstance(table.c[name].type, Said | Sealed)}
    if columns - sealed:
        told = {name: value for name, value in values.items() if name not in sealed}
        connection.execute(update(table).where(rows).values(told))
    # What is sealed is written row by row. A sentence is told in the reader's language, and the code is one
    # of its values.
    for row in connection.scalars(select(table.c.id)).all() if sealed else ():
        written: dict[str, object] = {}
        for name in sealed:
            text = f"{table.name}.{name}.{row}{CODE}"
            match table.c[name].type:
                case Said() | SealedSaid():
                    written[name] = say("the mail server rejected %(who)s", who=text)
                case SealedMapping():
                    written[name] = {"message": text, text: text}
                case _:
                    written[name] = text
        connection.execute(update(table).where(table.c.id == row).values(written))


def test_nothing_that_anybody_wrote_runs_on_any_page(
    open_page: Open, service: Service, poisoned: dict[str, str]
) -> None:
    wanted = {f"{table}.{column}" for table, names in TEXTS.items() for column in names} - UNSEEN
    wanted |= {"fi.le", "gi.ver", "head.er", "ce.ll", "va.lue", "ta.gs"}
    app = create_app(service.settings, service.engine)
    app.extensions["ringtrail"]["inbox"].close()
    page = open_page("administrator", "/account")
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog at {page.url}: {dialog.message}"))
    seen: set[str] = set()
    opened = 0
    for path in paths(app, poisoned):
        try:
            answer = page.goto(path)
        except Error as error:
            if "Download is starting" in error.message:
                continue
            raise
        assert answer is not None
        assert answer.status < 500, path
        assert "/sign-in?" not in page.url, path
        opened += 1
        found = page.evaluate(LOOK)
        assert found["ran"] is None, path
        assert found["made"] == [], path
        text = found["text"]
        seen |= {name for name in wanted if re.search(re.escape(name) + r"\.\d+" + re.escape(CODE), text)}
    assert opened > 40
    assert sorted(wanted - seen) == [], "each is shown as the text that it is"


# Everything that a page holds as text, and what only our code could have made.
LOOK = """() => {
    const all = [...document.querySelectorAll('*')];
    const made = all.filter(e => e.matches('img[src="x"]')
        || [...e.attributes].some(a => a.name.startsWith('on'))
        || (e.tagName === 'STYLE' && e.textContent.includes('color:red')));
    const text = [document.documentElement.textContent, ...all.map(e => e.value ?? ''),
        ...all.flatMap(e => [...e.attributes].map(a => a.value))];
    const short = made.map(e => e.outerHTML.slice(0, 200));
    return { ran: window.__ran ?? null, made: short, text: text.join('\\n') };
}"""


def paths(app: Flask, told: dict[str, str]) -> list[str]:
    """Return the address of every page; what stands for a record is the first."""
    found = []
    for rule in app.url_map.iter_rules():
        if "GET" not in rule.methods or not rule.endpoint.startswith(("web.", "security.")):
            continue
        if rule.endpoint == "web.static":
            continue
        found.append(re.sub(r"<(?:\w+:)?(\w+)>", lambda match: told.get(match[1], "1"), rule.rule))
    # Pages of signing in end the session, so they come last.
    found.sort(key=lambda path: (path.startswith(("/sign-", "/tf-")), path))
    return ["/deals/1?learnt=1", "/desk?call=1", *found]
