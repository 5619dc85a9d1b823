"""Whether the public address leads to this installation, asked the way anybody out there asks."""

import hmac
import secrets
from http.client import HTTPException
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from flask import current_app
from flask_babel import gettext

PATH = "/reachable"
LONGEST = 64
_WITHIN_S = 10.0


class _Here(HTTPRedirectHandler):
    """Follows nobody: what a webhook is posted to has to answer itself."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str
    ) -> None:
        return None


def proof(nonce: str) -> str:
    """Return what only this installation can answer."""
    secret: str = current_app.config["SECRET_KEY"]
    return hmac.new(secret.encode(), f"reachable|{nonce}".encode(), "sha256").hexdigest()


def ask(base_url: str) -> tuple[str, bool]:
    """Open an address and return what came of it in words, and whether it is this installation."""
    nonce = secrets.token_hex(16)
    address = f"{base_url}{PATH}?nonce={nonce}"
    try:
        with build_opener(_Here).open(address, timeout=_WITHIN_S) as answer:  # an administrator's own address
            right = hmac.compare_digest(answer.read(LONGEST), proof(nonce).encode())
    except HTTPError as error:
        error.close()
        said = gettext(
            "%(address)s answers with %(code)s: another service, or a proxy that does not lead here.",
            address=base_url,
            code=error.code,
        )
        return said, False
    except (URLError, HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        return gettext("%(address)s does not answer (%(why)s).", address=base_url, why=str(reason)), False
    if not right:
        return gettext("%(address)s answers, but it is another service.", address=base_url), False
    return gettext("%(address)s answers, and it is this installation.", address=base_url), True
