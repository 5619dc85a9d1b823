"""Forms as pages send them, whatever they call their fields: read as what they mean, or refused."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wrappers import Request

from tracking.collector.known import Page
from tracking.collector.refused import Refused
from tracking.errors import Invalid
from tracking.imports import words
from tracking.records import answers, referrers, sites, web_forms
from tracking.records.sources import CLICK_IDS, OWN_TAG, UTM, trace
from tracking.storage import vault
from tracking.storage.config import ADDRESS, FORM_BYTES
from tracking.storage.names import tidy, written

OURS = "rt-"
"""How our own fields begin, which the script adds to a form or its author writes into it."""
SOONEST_MS = 2000
"""Nobody fills in a form faster, browsers that fill it in for him aside. A judgement."""
_MOST_FIELDS = 100
_LONGEST_NAME = 100
_LONGEST_ID = 500
_LONGEST_PAGE = 4000
_TECHNICAL = re.compile(
    r"^_|csrf|captcha|nonce|hs_context|authenticity|verificationtoken|passw|lösenord|пароль|密码"
    r"|\b(?:pin|cvc|cvv|iban|card ?number|credit ?card)\b",
    re.IGNORECASE,
)
"""Fields that are never kept: secrets, and what only the form's own system understands."""
_CHARSET = re.compile(
    r"windows-125[0-8]|iso-8859-[0-9]{1,2}|koi8-[ru]|gbk|gb2312|gb18030|big5|shift_jis|euc-(?:jp|kr)",
    re.IGNORECASE,
)
"""In what pages may say by a field ``_charset_`` that they are written, besides UTF-8."""
_OWN_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_PARTS = re.compile(r"[\[\]/.]+")
_CAPITAL = re.compile(r"(?<=[a-zа-я])(?=[A-ZА-Я])")


@dataclass(frozen=True, slots=True)
class Sent:
    """What a page has sent, read; nobody has said yet whether it may."""

    page: str
    """Host and path."""
    told: Mapping[str, str]
    others: Mapping[str, str]
    came: Mapping[str, str]
    token: str | None
    key: str
    after: str | None
    """The page of the same site to which a browser goes afterwards."""
    signs: tuple[str, ...]


def read(request: Request, site: Page, origin: str, day: str) -> Sent:
    """Read a form: urlencoded, of several parts without files, or JSON.

    Raises
    ------
    Refused
        If it is none, larger than it may be, of another site, or holds a token that is none of ours.
    """
    ours: dict[str, str] = {}
    fields: dict[str, str] = {}
    for name, value in _fields(request):
        if name.startswith(OURS):
            ours.setdefault(name.removeprefix(OURS), value.strip())
        elif value:
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
    token = ours.get("visitor") or None
    if token is not None and not sites.is_ours(site.key, token):
        raise Refused(400, "rt-visitor: this token is none of ours")
    tags = {name: fields.pop(name) for name in list(fields) if name.casefold() in _TAGS}
    came = _came(ours, {name.casefold(): value for name, value in tags.items()}, site, origin)
    told, others = understood(fields, _hints(ours.get("fields", "")))
    heard = ours.get("heard-other") or ours.get("heard")
    if heard:
        told["heard_from"] = written(heard)[: answers.LONGEST_VERBATIM]
    if not told and not others:
        raise Refused(400, "this form has no field that says anything")
    signs = []
    if ours.get("homepage"):
        signs.append(web_forms.TRAP)
    if ours.get("ms", "").isdecimal() and int(ours["ms"][:9]) < SOONEST_MS:
        signs.append(web_forms.FAST)
    own_id = ours.get("id", "")
    if _OWN_ID.fullmatch(own_id):
        key = vault.mark("form", f"{site.key} {own_id}")
    else:
        whole = json.dumps([site.key, day, sorted(told.items()), sorted(others.items())])
        key = vault.mark("form", whole)
    landing = referrers.address(came["landing"])
    page = f"{referrers.host(landing)}{landing.path}"[:1000] if landing else ""
    return Sent(page, told, others, came, token, key, _after(ours.get("next"), site, came), tuple(signs))


_TAGS = frozenset({*UTM, OWN_TAG, *CLICK_IDS})


def _fields(request: Request) -> list[tuple[str, str]]:
    kind = request.mimetype
    try:
        if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
            found = _of_form(request, kind)
        elif kind in ("application/json", "text/plain"):
            found = _of_json(request.get_data(cache=False))
        else:
            raise Refused(415, "send a form, or its fields as JSON")
    except RequestEntityTooLarge as error:
        raise Refused(413, f"larger than {FORM_BYTES} bytes") from error
    except ClientDisconnected as error:
        raise Refused(400, "the body was cut off") from error
    if len(found) > _MOST_FIELDS:
        raise Refused(400, f"more than {_MOST_FIELDS} fields")
    return [(tidy(name)[:_LONGEST_NAME], written(value)) for name, value in found if tidy(name)]


def _of_form(request: Request, kind: str) -> list[tuple[str, str]]:
    # Kept as it came: by how it is decoded one could not tell what stood there.
    body = request.get_data(cache=True)
    if any(file.filename for file in request.files.values()):
        raise Refused(400, "files are not taken; remove the field for files from this form")
    declared = request.form.get("_charset_", "").strip()
    for charset in ("utf-8", *([declared] if _CHARSET.fullmatch(declared) else [])):
        try:
            if kind == "multipart/form-data":
                text = body.decode(charset)
                if charset == "utf-8":
                    return list(request.form.items(multi=True))
                kept = {"data": text.encode(), "content_type": request.content_type}
                with Request.from_values(method="POST", **kept) as again:
                    return list(again.form.items(multi=True))
            # Signs that nobody has encoded are taken for bytes, as those that are.
            plain = re.sub(rb"[\x80-\xff]", lambda byte: f"%{byte[0][0]:02X}".encode(), body).decode()
            return parse_qsl(plain, keep_blank_values=True, encoding=charset, errors="strict")
        except (UnicodeError, LookupError):
            continue
    raise Refused(400, 'this form is not sent in UTF-8; write accept-charset="utf-8" into it')


def _of_json(body: bytes) -> list[tuple[str, str]]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "the body is not JSON") from error
    if not isinstance(told, dict):
        raise Refused(400, "the body is not an object")
    found = []
    for name, value in told.items():
        for one in value if isinstance(value, list) else [value]:
            if one is None or isinstance(one, dict | list):
                raise Refused(400, f"{name[:40]}: write a text, or several in a list")
            found.append((name, str(one)))
    return found


def _came(ours: Mapping[str, str], tags: dict[str, str], site: Page, origin: str) -> dict[str, str]:
    """Return where the sender came from, as far as the form says so."""
    landing = ours.get("page") or origin
    try:
        if len(landing) > _LONGEST_PAGE or sites.origin(landing) not in site.origins:
            raise Refused(400, "rt-page: this page is not of the website that sends the form")
        trace(landing, ours.get("referrer", "")[:_LONGEST_PAGE])
    except Invalid as error:
        raise Refused(400, f"rt-page: {error}") from error
    # A field for a click id that holds something else takes no enquiry along.
    kept = {name: value for name, value in tags.items() if len(value) <= _LONGEST_ID}
    return kept | {"landing": landing, "referrer": ours.get("referrer", "")[:_LONGEST_PAGE]}


def _after(told: str | None, site: Page, came: Mapping[str, str]) -> str | None:
    """Return the page that a form leads to, which has to be of its own site."""
    if not told:
        return None
    try:
        found = urljoin(came["landing"], told)
        inside = sites.origin(found) in site.origins and not re.search(r"[\x00-\x20\\]", told)
    except (ValueError, Invalid):
        inside = False
    if not inside or not urlsplit(found).hostname:
        raise Refused(400, "rt-next: name a page of the same website")
    return found


# --- What fields mean --------------------------------------------------------------------------------------

_FIRST, _LAST = "first_name", "last_name"
_WANTED = ("email", "company", _FIRST, _LAST, "person", "phone", "heard_from", "message")
_LIMITS = {"heard_from": answers.LONGEST_VERBATIM, "message": FORM_BYTES}
_LONGEST = 200


def understood(fields: Mapping[str, str], hints: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what fields say by what they mean, in five languages, and all others by their names.

    ``hints`` says of some fields what they mean, as the page has marked them; that counts more than a name.
    """
    left = {name: value for name, value in fields.items() if not _TECHNICAL.search(name)}
    found: dict[str, str] = {}
    for wanted in _WANTED:
        name = next((one for one in left if hints.get(one) == wanted), None) or _named(wanted, left, hints)
        if name is None:
            continue
        value = left[name] if wanted in _LIMITS else tidy(left[name])
        # What is too long to be a name, or no address, stays under the name of its field.
        if value and len(value) <= _LIMITS.get(wanted, _LONGEST) and _fits(wanted, value):
            found[wanted] = value
            del left[name]
    if "email" not in found:
        mails = [name for name, value in left.items() if ADDRESS.fullmatch(value)]
        if len(mails) == 1:
            found["email"] = left.pop(mails[0])
    names = [found.pop(part) for part in (_FIRST, _LAST) if part in found]
    if names and "person" not in found:
        found["person"] = " ".join(names)[:_LONGEST]
    return found, left


def _fits(wanted: str, value: str) -> bool:
    return wanted != "email" or bool(ADDRESS.fullmatch(value))


def _named(wanted: str, fields: Mapping[str, str], hints: Mapping[str, str]) -> str | None:
    """Return the field whose name says so, by the order in which the tables have its names."""
    called: dict[str, str] = {}
    for name in fields:
        if name not in hints:
            called.setdefault(_plain(name), name)
    return next((called[alias] for alias in _aliases()[wanted] if alias in called), None)


def _plain(name: str) -> str:
    """Return the name of a field as it is compared: of ``form[contact][companyName]`` company name."""
    # HubSpot's number of what a field is of: 0-2 is the company.
    name = name.replace("0-2/", "0-2/company ", 1) if name.startswith("0-2/") else name
    parts = [part for part in _PARTS.split(name) if part.strip() and not part.strip().isdecimal()]
    return words.fold(_CAPITAL.sub(" ", parts[-1])) if parts else ""


@cache
def _aliases() -> Mapping[str, Sequence[str]]:
    named = words.aliases("forms")
    return {
        wanted: tuple(
            dict.fromkeys(
                spelt
                for name in (wanted, *named.get(wanted, ()))
                for spelt in (words.fold(name), f"your {words.fold(name)}")
            )
        )
        for wanted in _WANTED
    }


def _hints(told: str) -> dict[str, Any]:
    try:
        found = json.loads(told) if told else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {tidy(name)[:_LONGEST_NAME]: kind for name, kind in found.items() if kind in _WANTED}
