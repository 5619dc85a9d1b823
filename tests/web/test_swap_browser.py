"""The script on real pages: every spelling, late content, frameworks, policies, consent, print, no server."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.cast import ACME_DESK, moment
from tests.web.conftest import Service
from tests.web.website import Website, visitor, website
from tracking import collector
from tracking.records import sites
from tracking.storage import db
from tracking.storage.models import Site
from tracking.telephony import numbers, pools

WORKER = False
VENDOR = Path(__file__).parents[1] / "vendor"
DEPLOY = Path(__file__).parents[2] / "deploy"
AT = moment("2026-03-01")
Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def web(service: Service) -> Iterator[Website]:
    with website() as found:
        with db.transaction(service.engine) as session:
            given = {"origins": [found.url], "number": ACME_DESK, "hold_minutes": 1440}
            for name, consent in (("Open", False), ("Asks", True)):
                site = sites.add(session, name, at=AT, consent=consent, **given)  # type: ignore[arg-type]
                if consent:
                    continue
                # Twice as many as tests have visitors: one address may hold half of them.
                for place in range(20, 60):
                    row = numbers.add(session, f"+467017406{place}", at=AT, provider="twilio")
                    pools.put(session, site, row, at=AT)
            asks = session.query(Site).filter_by(name="Asks").one()
            row = numbers.add(session, "+46701740619", at=AT, provider="twilio")
            pools.put(session, asks, row, at=AT)
        yield found


@pytest.fixture
def snippet(service: Service, web: Website) -> Callable[..., str]:
    """What is pasted into a page; more attributes by name."""

    def of(site: str = "Open", **more: str) -> str:
        with db.reading(service.engine) as session:
            told = collector.snippet(sites.get(session, site), service.url)
        added = "".join(f' data-{name}="{value}"' for name, value in more.items())
        return str(told).replace("></script>", f"{added}></script>")

    return of


@pytest.fixture
def visit(chromium: Browser, web: Website) -> Iterator[Visit]:
    """Open a page of the website as somebody new."""
    pages: list[Page] = []

    def open_page(body: str, path: str = "/", head: str = "", headers: dict[str, str] | None = None,
                  **options: object) -> Page:  # fmt: skip
        web.put(
            path, f"<!doctype html><html><head>{head}</head><body>{body}</body></html>", **(headers or {})
        )
        page = visitor(chromium, **options)
        pages.append(page)
        page.goto(f"{web.url}{path}")
        return page

    yield open_page
    for page in pages:
        page.context.close()


def last(page: Page) -> str:
    """The last two digits of the number that the visitor is shown instead of 070-174 06 90."""
    expect(page.locator("#own")).not_to_have_text("070-174 06 90")
    return page.locator("#own").inner_text()[-2:]


OWN = '<p id="own">070-174 06 90</p>'
SPELLINGS = {
    "070-174 06 90": "070-174 06 {}",
    "0701740690": "07017406{}",
    "070.174.06.90": "070.174.06.{}",
    "070\u2011174\u00a006\u00a090": "070-174\u00a006\u00a0{}",
    "(070) 174 06 90": "070-174 06 {}",
    "+46 70 174 06 90": "+46 70 174 06 {}",
    "+46701740690": "+467017406{}",
    "+46 (0)70-174 06 90": "+46 70 174 06 {}",
    "0046 70 174 06 90": "0046 70 174 06 {}",
    "Ring 070-174 06 90, or 070/174 06 90.": "Ring 070-174 06 {0}, or 070-174 06 {0}.",
    # With what is not seen: soft hyphens, blanks of no width, marks of direction.
    "070\u00ad-174\u00ad06\u00ad90": "070-174-06-{}",
    "070\u200b174\u200b06\u200b90": "07017406{}",
    "\u202a+46\u200e 70 174 06 90\u202c": "\u202a+46 70 174 06 {}\u202c",
    # Not ours: longer numbers, part of something else, and another number.
    "0701740690123": "0701740690123",
    "10701740690": "10701740690",
    "070-174 06 91": "070-174 06 91",
}


def test_every_common_spelling_is_replaced_and_nothing_else(
    visit: Visit, snippet: Callable[..., str]
) -> None:
    lines = "".join(f"<p class=t>{text}</p>" for text in SPELLINGS)
    page = visit(
        f"{OWN}{lines}"
        '<a id=tel href="tel:+46701740690;ext=7">call</a><a id=sms href="sms:070-1740690?body=Hi">text</a>'
        '<a id=enc href="tel:%2B46 70 174 06 90">x</a><a id=other href="tel:+46701740691">y</a>'
        '<a id=zero href=" tel:+46(0)701740690">z</a><a id=two href="tel://+46701740690;ext=1">q</a>'
        "<svg><text class=in>070-174 06 90</text></svg>"
        "<select><option value=1 class=in>070-174 06 90</option>"
        "<option class=out>070-174 06 90</option></select>"
        "<p class=out contenteditable=plaintext-only>070-174 06 90</p>"
        "<p class=out contenteditable=TRUE>070-174 06 90</p>"
        "<p class=in contenteditable=false>070-174 06 90</p>"
        '<input id=field value="070-174 06 90"><template id=tpl>070-174 06 90</template>'
        '<img id=img alt="Ring 070-174 06 90" src="data:,"><button aria-label="Call 070-174 06 90">b</button>'
        "<textarea id=area>070-174 06 90</textarea><p id=off data-ringtrail=off>070-174 06 90</p>"
        '<script type="application/ld+json" id=ld>{"telephone": "+46701740690"}</script>'
        f"{snippet()}"
    )
    digits = last(page)
    assert page.locator(".t").all_inner_texts() == [text.format(digits) for text in SPELLINGS.values()]
    number = f"+467017406{digits}"
    assert page.locator("#tel").get_attribute("href") == f"tel:{number};ext=7"
    assert page.locator("#sms").get_attribute("href") == f"sms:{number}?body=Hi"
    assert page.locator("#enc").get_attribute("href") == f"tel:{number}"
    assert page.locator("#other").get_attribute("href") == "tel:+46701740691"
    assert page.locator("#zero").get_attribute("href") == f"tel:{number}"
    assert page.locator("#two").get_attribute("href") == f"tel:{number};ext=1"
    assert set(page.locator(".in").all_text_contents()) == {f"070-174 06 {digits}"}
    assert set(page.locator(".out").all_text_contents()) == {"070-174 06 90"}
    assert page.locator("#field").input_value() == "070-174 06 90"
    assert "070-174 06 90" in page.locator("#tpl").inner_html()
    assert page.locator("#img").get_attribute("alt") == f"Ring 070-174 06 {digits}"
    assert page.locator("button").get_attribute("aria-label") == f"Call 070-174 06 {digits}"
    assert page.locator("#area").input_value() == page.locator("#off").inner_text() == "070-174 06 90"
    assert "+46701740690" in page.locator("#ld").inner_text()
    before = page.content()
    page.evaluate("Ringtrail.swap(); Ringtrail.swap()")
    assert page.content() == before, "swapping again changes nothing"
    assert page.evaluate("Ringtrail.visitor()").count(".") == 1


SPLIT = {
    "Ring 070-<wbr>174 06 90": "Ring 070-174 06 {}",
    "<b>070</b>-174 06 <i>90</i> today": "070-174 06 {} today",
    "<span>+46</span> <span>70</span> 174 06 90 or 070<wbr>1740690": "+46 70 174 06 {0} or 07017406{0}",
    # Not in one line, or with something between that is left alone.
    "070-174<br>06 90": "070-17406 90",
    "<div>070-174</div> 06 90": "070-174 06 90",
    "070-174 06 <em data-ringtrail=off>now</em>90": "070-174 06 now90",
}


def test_a_number_over_several_texts_of_one_line_is_replaced_and_comes_back_as_it_was(
    visit: Visit, snippet: Callable[..., str]
) -> None:
    page = visit(f"{OWN}{''.join(f'<div class=s>{text}</div>' for text in SPLIT)}{snippet()}")
    digits = last(page)
    shown = page.locator(".s")
    assert shown.all_text_contents() == [text.format(digits) for text in SPLIT.values()]
    page.evaluate("document.querySelector('.s').lastChild.nodeValue = '174 06 90!'")
    page.evaluate("document.querySelector('.s').firstChild.nodeValue = 'Now 070-'")
    expect(shown.first).to_have_text(f"Now 070-174 06 {digits}!")
    page.evaluate("Ringtrail.consent(false)")
    expect(page.locator("#own")).to_have_text("070-174 06 90")
    assert shown.evaluate_all("all => all.map((line) => line.innerHTML)") == [
        "Now 070-<wbr>174 06 90!",
        *[text.replace("=off", '="off"') for text in list(SPLIT)[1:]],
    ]


def test_whoever_comes_back_to_a_page_is_shown_what_is_his_by_now_and_a_page_made_ready_is_no_visit(
    visit: Visit, snippet: Callable[..., str], web: Website
) -> None:
    page = visit(f"{OWN}{snippet()}")
    digits = last(page)
    second = page.context.new_page()
    second.goto(f"{web.url}/")
    assert last(second) == digits, "in another tab he is the same"
    with page.expect_request("**/view") as asked:
        page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    told = asked.value.post_data_json
    assert (told["a"], told["r"]) == (0, f"{web.url}/"), "a view that comes from the page itself"
    ahead = page.context.new_page()
    ahead.add_init_script("Object.defineProperty(document, 'prerendering', {value: true})")
    views: list[str] = []
    ahead.on("request", lambda request: views.append(request.url) if "/view" in request.url else None)
    ahead.goto(f"{web.url}/")
    ahead.wait_for_load_state("networkidle")
    assert (views, ahead.locator("#own").inner_text()) == ([], "070-174 06 90")
    ahead.evaluate("document.dispatchEvent(new Event('prerenderingchange'))")
    assert last(ahead) == digits


def test_what_comes_late_is_replaced_and_what_a_page_changes_back_too(
    visit: Visit, snippet: Callable[..., str]
) -> None:
    page = visit(f"<div id=room></div>{snippet()}")
    page.wait_for_function("window.Ringtrail && Ringtrail.visitor()")
    page.evaluate("document.getElementById('room').innerHTML = '<p id=own>070-174 06 90</p>'")
    digits = last(page)
    page.evaluate("document.getElementById('own').firstChild.nodeValue = 'Now: 070-174 06 90'")
    expect(page.locator("#own")).to_have_text(f"Now: 070-174 06 {digits}")
    page.evaluate(
        "history.pushState({}, '', '/pumps'); document.getElementById('room').append('+46701740690')"
    )
    expect(page.locator("#room")).to_contain_text(f"+467017406{digits}")


FRAMEWORKS = {
    "react": (
        ("react.min.js", "react-dom.min.js"),
        "const e = React.createElement;"
        "function App() { const [n, set] = React.useState(0);"
        " return e('div', null, e('p', {id: 'own'}, '070', '-', '174 06 90'),"
        " e('a', {href: 'tel:+46701740690'}, 'x'),"
        " e('button', {onClick: () => set(n + 1)}, 'again'), e('b', null, String(n)),"
        " n > 1 ? e('i', null, 'or +46 70 174 06 90') : null); }"
        "ReactDOM.createRoot(document.getElementById('app')).render(e(App));",
    ),
    "vue": (
        ("vue.min.js",),
        "const {h, ref, createApp} = Vue;"
        "createApp({setup() { const n = ref(0); return () => h('div', [h('p', {id: 'own'}, '070-174 06 90'),"
        " h('a', {href: 'tel:+46701740690'}, 'x'), h('button', {onClick: () => n.value++}, 'again'),"
        " h('b', String(n.value)), n.value > 1 ? h('i', 'or +46 70 174 06 90') : null]); }}).mount('#app');",
    ),
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_page_of_a_framework_goes_on_working_under_a_strict_policy(
    visit: Visit, web: Website, service: Service, snippet: Callable[..., str], framework: str
) -> None:
    files, program = FRAMEWORKS[framework]
    for name in files:
        web.put(f"/{name}", (VENDOR / name).read_text(), "text/javascript")
    web.put("/app.js", program, "text/javascript")
    scripts = "".join(f"<script src=/{name}></script>" for name in (*files, "app.js"))
    policy = f"default-src 'none'; script-src 'self' {service.url}; connect-src {service.url}"
    page = visit(f"<div id=app></div>{scripts}{snippet()}", headers={"Content_Security_Policy": policy})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    digits = last(page)
    for count in range(1, 4):
        page.get_by_role("button").click()
        expect(page.locator("b")).to_have_text(str(count))
    expect(page.locator("#own")).to_have_text(f"070-174 06 {digits}")
    expect(page.locator("i")).to_have_text(f"or +46 70 174 06 {digits}")
    expect(page.locator("a")).to_have_attribute("href", f"tel:+467017406{digits}")
    assert complaints == []


def test_before_consent_there_is_no_cookie_and_after_it_a_number_and_taking_it_back_undoes_both(
    visit: Visit, snippet: Callable[..., str]
) -> None:
    page = visit(f"{OWN}{snippet('Asks')}")
    page.wait_for_load_state("networkidle")
    assert page.locator("#own").inner_text() == "070-174 06 90"
    assert page.context.cookies() == []
    page.evaluate("Ringtrail.consent(true)")
    assert last(page) == "19"
    [cookie] = page.context.cookies()
    assert (cookie["name"], cookie["sameSite"]) == ("ringtrail", "Lax")
    page.reload()
    assert last(page) == "19", "who has agreed need not agree again"
    page.evaluate("Ringtrail.consent(false)")
    expect(page.locator("#own")).to_have_text("070-174 06 90")
    assert page.context.cookies() == []


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("banner", ["Cookiebot", "OneTrust"])
def test_a_banner_says_by_the_recipe_what_the_visitor_has_chosen_before_the_script_is_there_or_after(
    visit: Visit, snippet: Callable[..., str], banner: str, late: bool
) -> None:
    docs = (DEPLOY.parent / "docs" / "web.md").read_text()
    [recipe] = [block for block in re.findall(r"(?:^ {4}.*\n)+", docs, re.MULTILINE) if banner in block]

    def said(yes: bool) -> str:
        if banner == "OneTrust":
            groups = ["C0001", *(["C0004"] if yes else [])]
            return (
                f"dispatchEvent(new CustomEvent('OneTrustGroupsUpdated', {{detail: {json.dumps(groups)}}}));"
            )
        chosen = f"window.Cookiebot = {{consent: {{marketing: {json.dumps(yes)}}}}};"
        return f"{chosen} dispatchEvent(new Event('CookiebotOn{'Accept' if yes else 'Decline'}'));"

    page = visit(f"{OWN}<script>{recipe}{'' if late else said(True)}</script>{snippet('Asks')}")
    page.wait_for_load_state("networkidle")
    assert len(page.context.cookies()) == (not late)
    if late:
        page.evaluate(said(True))
        page.wait_for_function("Ringtrail.visitor()")
    page.evaluate(said(False))
    assert page.context.cookies() == []
    assert page.evaluate("Ringtrail.visitor()") is None


def test_for_print_and_copy_the_page_has_its_own_number_where_it_says_so(
    visit: Visit, snippet: Callable[..., str]
) -> None:
    page = visit(f"{OWN}{snippet(print='original', copy='original')}")
    digits = last(page)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("#own")).to_have_text("070-174 06 90")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("#own")).to_have_text(f"070-174 06 {digits}")
    copied = page.evaluate(
        "() => { getSelection().selectAllChildren(document.getElementById('own'));"
        " const data = new DataTransfer();"
        " document.dispatchEvent(new ClipboardEvent('copy', {clipboardData: data, cancelable: true}));"
        " return data.getData('text/plain'); }"
    )
    assert copied == "070-174 06 90"


def test_tag_manager_brings_both_scripts_by_the_recipe(
    visit: Visit, snippet: Callable[..., str], service: Service
) -> None:
    tag = (DEPLOY / "tag-manager.html").read_text()
    with db.reading(service.engine) as session:
        site = sites.get(session, "Open")
        both = collector.snippet(site, service.url) + collector.form_snippet(site, service.url)
    swap, forms = re.findall(r'integrity="([^"]*)"', both)
    for told, here in (
        ("https://calls.acme.example", service.url),
        ("0123456789ab", site.key),
        ("sha384-PUT-IN-THE-HASH-OF-THE-SNIPPET-FOR-FORMS", forms),
        ("sha384-PUT-IN-THE-HASH-OF-THE-SNIPPET", swap),
    ):
        assert told in tag
        tag = tag.replace(told, here)
    program = tag.partition("<script>")[2].partition("</script>")[0]
    # As a manager of tags does it: late, by a script that it makes of a text.
    late = f"const made = document.createElement('script'); made.text = {json.dumps(program)};"
    page = visit(
        f"{OWN}<script>addEventListener('load', () => {{ {late} document.head.append(made); }});</script>"
    )
    assert last(page)
    page.wait_for_function("window.RingtrailForms")


def test_robots_and_those_who_ask_not_to_be_followed_see_the_page_s_own_number(
    visit: Visit, snippet: Callable[..., str], chromium: Browser, web: Website
) -> None:
    page = visit(f"{OWN}{snippet()}", extra_http_headers={"Sec-GPC": "1"})
    page.wait_for_load_state("networkidle")
    assert page.locator("#own").inner_text() == "070-174 06 90"
    assert page.context.cookies() == []
    robot = chromium.new_page()
    robot.goto(f"{web.url}/")
    robot.wait_for_load_state("networkidle")
    assert robot.locator("#own").inner_text() == "070-174 06 90"
    robot.context.close()


def test_with_the_server_away_or_another_script_in_its_place_the_page_shows_its_own_number(
    visit: Visit, snippet: Callable[..., str], web: Website, chromium: Browser
) -> None:
    web.put("/away", f"<!doctype html><body>{OWN}{snippet()}</body>")
    page = visitor(chromium)
    page.route("**/view", lambda route: route.abort())
    page.goto(f"{web.url}/away")
    page.wait_for_function("window.Ringtrail")
    assert page.locator("#own").inner_text() == "070-174 06 90"
    page.unroute("**/view")
    page.goto(f"{web.url}/away")
    assert last(page), "the script came from the browser's own store, and the server is back"
    page.context.close()
    forged = visitor(chromium)
    changed = "document.title = 'forged'"
    cors = {"Access-Control-Allow-Origin": "*"}
    forged.route(
        "**/swap.js", lambda r: r.fulfill(body=changed, content_type="text/javascript", headers=cors)
    )
    forged.goto(f"{web.url}/away")
    forged.wait_for_load_state("networkidle")
    assert forged.title() != "forged", "its hash is not the one that the page names"
    assert forged.locator("#own").inner_text() == "070-174 06 90"
    forged.context.close()
