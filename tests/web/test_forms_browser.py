"""The script for forms on real pages: forms of React and Vue that come late, under a strict policy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import select

from tests.cast import ACME_DESK, moment
from tests.web.conftest import Service
from tests.web.website import Website, visitor, website
from tracking import collector
from tracking.records import sites
from tracking.storage import db
from tracking.storage.models import WebForm

WORKER = False
VENDOR = Path(__file__).parents[1] / "vendor"
FRAMEWORKS = {
    "react": (
        ("react.min.js", "react-dom.min.js"),
        "const e = React.createElement;"
        "function App() { const [open, show] = React.useState(false); const [mail, set] = React.useState('');"
        " const [sent, send] = React.useState(0);"
        " return e('div', null, e('button', {onClick: () => show(true)}, 'Contact'),"
        " e('b', null, String(sent)),"
        " open ? e('form', {'data-ringtrail': 'form',"
        " onSubmit: (event) => {event.preventDefault(); send(sent + 1);}},"
        " e('input', {name: 'action', 'aria-label': 'Email', type: 'email', value: mail,"
        " onChange: (event) => set(event.target.value)}), e('input', {name: 'pass', type: 'password'}),"
        " e('div', {'data-ringtrail': 'heard'}), e('button', null, 'Send')) : null); }"
        "ReactDOM.createRoot(document.getElementById('app')).render(e(App));",
    ),
    "vue": (
        ("vue.min.js",),
        "const {h, ref, createApp} = Vue;"
        "createApp({setup() { const open = ref(false), mail = ref(''), sent = ref(0);"
        " return () => h('div', [h('button', {onClick: () => open.value = true}, 'Contact'),"
        " h('b', String(sent.value)), open.value ? h('form', {'data-ringtrail': 'form',"
        " onSubmit: (event) => {event.preventDefault(); sent.value++;}},"
        " [h('input', {name: 'action', 'aria-label': 'Email', type: 'email', value: mail.value,"
        " onInput: (event) => mail.value = event.target.value}),"
        " h('input', {name: 'pass', type: 'password'}),"
        " h('div', {'data-ringtrail': 'heard'}), h('button', 'Send')]) : null]); }}).mount('#app');",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def web(service: Service) -> Iterator[Website]:
    with website() as found:
        with db.transaction(service.engine) as session:
            sites.add(session, "Shop", at=moment("2026-03-01"), origins=[found.url], number=ACME_DESK)
        yield found


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_form_of_a_framework_that_comes_late_is_copied_once_for_each_that_is_sent(
    chromium: Browser, service: Service, web: Website, framework: str
) -> None:
    files, program = FRAMEWORKS[framework]
    with db.transaction(service.engine) as session:
        session.query(WebForm).delete()
        snippet = collector.form_snippet(sites.get(session, "Shop"), service.url)
    for name in files:
        web.put(f"/{name}", (VENDOR / name).read_text(), "text/javascript")
    web.put("/app.js", program, "text/javascript")
    scripts = "".join(f"<script src=/{name}></script>" for name in (*files, "app.js"))
    policy = f"default-src 'none'; script-src 'self' {service.url}; connect-src {service.url}"
    body = f"<!doctype html><html lang=sv><body><div id=app></div>{scripts}{snippet}</body></html>"
    web.put("/", body, Content_Security_Policy=policy)
    page = visitor(chromium)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.clock.install()
    page.goto(f"{web.url}/?utm_source=news&secret=1")
    page.get_by_role("button", name="Contact").click()
    page.get_by_label("Var hörde du talas om oss?").select_option("Något annat")
    page.get_by_label("Skriv gärna var").fill("Mässan i Borås")
    page.locator("[name=pass]").fill("hunter2")
    for count, mail in enumerate(("ada@borealis.example", "ada@borealis.example", "bo@cobalt.example"), 1):
        page.get_by_label("Email").fill(mail)
        page.clock.fast_forward(5000)
        with page.expect_response(lambda answer: answer.url.endswith("/form")) as answer:
            page.get_by_role("button", name="Send").click()
        assert answer.value.status == 200, answer.value.text()
        expect(page.locator("b")).to_have_text(str(count))
    page.context.close()
    with db.reading(service.engine) as session:
        first, second = session.scalars(select(WebForm).order_by(WebForm.id)).all()
        assert first.told == {"email": "ada@borealis.example", "heard_from": "Mässan i Borås"}
        assert (first.others, first.spam_signs) == (None, [])
        assert (first.came or {})["landing"] == f"{web.url}/?utm_source=news"
        assert (second.told or {})["email"] == "bo@cobalt.example"
    assert [each for each in complaints if "favicon" not in each] == []
