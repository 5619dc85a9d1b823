"""The script for forms on real pages: forms of React and Vue that come late, under a strict policy."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
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


# --- Forms of other systems, by the recipes of the docs -----------------------------------------------------

DOCS = (Path(__file__).parents[2] / "docs" / "web.md").read_text()
EMAIL = "ada@borealis.example"
FIELDS = [("email", EMAIL), ("firstname", "Ada"), ("interests", "pumps"), ("interests", "valves")]
# As the system behaves: what it does on its page once a form is sent. Each by the name of its recipe's event.
SYSTEMS = {
    "wpcf7mailsent": """
        const form = document.createElement('form');
        form.className = 'wpcf7-form init';
        for (const [name, value] of [['_wpcf7', '7'], ...fields]) {
          form.append(Object.assign(document.createElement('input'), {name, value}));
        }
        document.body.append(form);
        form.addEventListener('submit', (event) => {
          event.preventDefault();
          const inputs = [...new FormData(form)].filter(([name]) => name[0] !== '_');
          const detail = {contactFormId: 7, inputs: inputs.map(([name, value]) => ({name, value}))};
          for (const name of ['wpcf7beforesubmit', 'wpcf7mailsent', 'wpcf7submit'])
            form.dispatchEvent(new CustomEvent(name, {bubbles: true, detail}));
          form.reset();
        });
        form.requestSubmit();""",
    "hs-form-event:on-submission:success": """
        const values = fields.slice(0, 2).map(([name, value]) => ({name: `0-1/${name}`, value}));
        values.push({name: '0-1/interests', value: ['pumps', 'valves']}, {name: 'hs_context', value: '{}'});
        const form = {getFormFieldValues: async () => values};
        window.HubSpotFormsV4 = {getFormFromEvent: (event) => event.detail.formId && form};
        const detail = {formId: 'f', instanceId: 'i'};
        for (const name of ['on-ready', 'on-submission:success'])
          window.dispatchEvent(new CustomEvent(`hs-form-event:${name}`, {detail}));""",
    "hsFormCallback": """
        const type = 'hsFormCallback';
        const told = (eventName, data) => window.postMessage({type, eventName, id: 'f', data}, '*');
        const [mail, name] = fields;
        told('onFormReady', {});
        told('onFormSubmit', [...fields.slice(0, 2).map(([name, value]) => ({name, value})),
          {name: 'interests', value: ['pumps', 'valves']}]);
        told('onFormSubmitted', older ? undefined
          : {submissionValues: {email: mail[1], firstname: name[1], interests: ['pumps', 'valves']}});""",
}


def recipe(sign: str) -> str:
    """The block of the docs that holds a sign."""
    [found] = [block for block in re.findall(r"(?:^ {6}.*\n)+", DOCS, re.MULTILINE) if sign in block]
    return found


@pytest.mark.parametrize(("sign", "older"), [*((sign, False) for sign in SYSTEMS), ("hsFormCallback", True)])
def test_a_form_of_another_system_comes_by_the_recipe_of_the_docs(
    chromium: Browser, service: Service, web: Website, sign: str, older: bool
) -> None:
    page = with_forms(chromium, service, web, f"<script>{recipe(sign)}</script>")
    with page.expect_response(lambda answer: answer.url.endswith("/form")) as answer:
        page.evaluate(f"([fields, older]) => {{ {SYSTEMS[sign]} }}", [FIELDS, older])
    assert answer.value.status == 200, answer.value.text()
    page.context.close()
    with db.reading(service.engine) as session:
        [form] = session.scalars(select(WebForm)).all()
        assert form.told == {"email": EMAIL, "person": "Ada"}
        [(name, value)] = (form.others or {}).items()
        assert (name.removeprefix("0-1/"), value, form.spam_signs) == ("interests", "pumps, valves", [])


def with_forms(chromium: Browser, service: Service, web: Website, body: str) -> Page:
    """A page with the script for forms, and no form kept yet."""
    with db.transaction(service.engine) as session:
        session.query(WebForm).delete()
        snippet = collector.form_snippet(sites.get(session, "Shop"), service.url)
    web.put("/other", f"<!doctype html><html lang=en><body>{body}{snippet}</body></html>")
    page = visitor(chromium)
    page.goto(f"{web.url}/other")
    page.wait_for_function("window.RingtrailForms")
    return page


def test_secrets_and_what_is_marked_off_never_leave_the_page_and_objects_of_all_kinds_may_be_sent(
    chromium: Browser, service: Service, web: Website
) -> None:
    page = with_forms(
        chromium,
        service,
        web,
        "<form data-ringtrail=form action=/other method=post target=there>"
        "<input name=email value=a@borealis.example>"
        "<input name=c autocomplete='section-a cc-number' value=4111111111111111>"
        "<input name=p autocomplete=new-password value=hunter2>"
        "<input name=o autocomplete=one-time-code value=123>"
        "<div data-ringtrail=off><input name=iq value=99></div><button>Send</button></form>"
        "<iframe name=there></iframe>",
    )
    with page.expect_request(lambda request: request.url.endswith("/form")) as sent:
        page.get_by_role("button", name="Send").click()
    named = {name for name in sent.value.post_data_json if not name.startswith("rt-")}
    assert named == {"email"}
    for given in (
        "{email: 'b@borealis.example', none: null, many: ['x', 'y'], deep: {a: 1}}",
        "(() => { const f = new FormData(); f.append('email', 'b@borealis.example'); f.append('many', 'x');"
        " f.append('many', 'y'); f.append('file', new Blob(['z'])); return f; })()",
    ):
        with page.expect_request(lambda request: request.url.endswith("/form")) as sent:
            assert page.evaluate(f"RingtrailForms.send({given})") is True
        told = sent.value.post_data_json
        assert {name: value for name, value in told.items() if not name.startswith("rt-")} == {
            "email": ["b@borealis.example"],
            "many": ["x", "y"],
        }
    page.context.close()
