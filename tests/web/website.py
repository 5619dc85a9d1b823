"""A website of Acme's on this machine, and people who open it in a browser that looks like anybody's."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
NO_ROBOT = "Object.defineProperty(Navigator.prototype, 'webdriver', {get: () => false})"


class Website:
    """Pages that are served as they are put here."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pages: dict[str, tuple[str, str, dict[str, str]]] = {}

    def put(self, path: str, body: str, kind: str = "text/html", **headers: str) -> None:
        """Serve a page or a file; names of headers have _ for -."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = (body, kind, told)


@contextmanager
def website() -> Iterator[Website]:
    """Serve a website on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, kind, headers = here.pages.get(urlsplit(self.path).path, ("", "text/plain", {}))
            self.send_response(200)
            for name, value in {"Content-Type": f"{kind}; charset=utf-8", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = Website(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield here
    server.shutdown()
    server.server_close()


def visitor(chromium: Browser, **options: object) -> Page:
    """A browser that nothing tells from a person's; who opens it closes its context."""
    told: dict[str, object] = {"user_agent": AGENT} | options
    context = chromium.new_context(**told)  # type: ignore[arg-type]  # Playwright's own
    context.add_init_script(NO_ROBOT)
    return context.new_page()
