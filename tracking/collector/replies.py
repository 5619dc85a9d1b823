"""What a browser is shown after it has sent a form: the page that the form names, or a few words."""

from html import escape

from flask_babel import gettext
from werkzeug.wrappers import Request, Response

from tracking.language import formatting
from tracking.storage.config import Settings

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Robots-Tag": "noindex",
}


def is_browsing(request: Request) -> bool:
    """Tell whether a browser goes where its form leads, and no script waits for the answer."""
    mode = request.headers.get("Sec-Fetch-Mode")
    return mode == "navigate" if mode else "text/html" in request.headers.get("Accept", "")


def thanks(settings: Settings, request: Request, after: str | None) -> Response:
    """Lead on to the page that the form names; without one, say thanks in the browser's language."""
    if after is not None:
        return Response(status=303, headers={"Location": after, "Cache-Control": "no-store"})
    with formatting.speaking(settings, _language(request)):
        title, text = gettext("Thank you"), gettext("We have received your message and will get back to you.")
    return _page(settings, request, 200, title, text)


def sorry(settings: Settings, request: Request, status: int, why: str) -> Response:
    """Say that the form was not taken, and why, for whoever has built it."""
    with formatting.speaking(settings, _language(request)):
        title = gettext("Your message could not be sent")
        text = gettext("Go back and send it again, or contact us by phone or email.")
    return _page(settings, request, status, title, text, why)


def _language(request: Request) -> str:
    return request.accept_languages.best_match(formatting.LANGUAGES) or "en"


def _page(
    settings: Settings, request: Request, status: int, title: str, text: str, why: str = ""
) -> Response:
    small = f"<p><small>{escape(why)}</small></p>" if why else ""
    body = (
        f'<!doctype html><html lang="{_language(request)}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><main><h1>{escape(title)}</h1><p>{escape(text)}</p>{small}"
        f"<p>{escape(settings.company)}</p></main></html>"
    )
    return Response(body, status, headers=_HEADERS, content_type="text/html; charset=utf-8")
