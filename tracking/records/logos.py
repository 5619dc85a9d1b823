"""The supplier's logo: a PNG, JPEG or SVG picture that can do nothing but be looked at."""

import re
import zlib
from xml.etree import ElementTree as ET

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from reports.logo import Logo, is_drawable
from tracking.errors import Invalid
from tracking.storage.models import Installation

LARGEST = 500_000
"""Bytes: a logo is on each sheet, and a telephone loads it with the page of a QR code."""
_MOST_PIXELS = 4000
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
# What draws. All else of SVG runs, animates, or fetches something.
_DRAWS = frozenset(
    {
        "svg", "g", "a", "defs", "symbol", "use", "switch", "title", "desc", "style", "metadata", "view",
        "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "image", "marker", "pattern",
        "text", "tspan", "textPath", "linearGradient", "radialGradient", "stop", "clipPath", "mask",
        "filter", "feBlend", "feColorMatrix", "feComposite", "feDropShadow", "feFlood", "feGaussianBlur",
        "feMerge", "feMergeNode", "feOffset",
    }
)  # fmt: skip
_DROPPED = frozenset({"metadata", "view"})
_FETCHES = re.compile(
    r"@import|expression\s*\(|javascript:|\\|url\s*\(\s*[\"']?(?!\s*[\"']?#)", re.IGNORECASE
)
_INNER = re.compile(r"#|data:image/(?:png|jpeg);base64,")


def current(session: Session) -> Logo | None:
    """Return the logo, if one was uploaded."""
    row = session.execute(select(Installation.logo, Installation.logo_type)).first()
    return Logo(row.logo, row.logo_type) if row and row.logo and row.logo_type else None


def put(session: Session, logo: Logo | None) -> None:
    """Keep a logo from now on, or none."""
    session.execute(
        update(Installation).values(logo=logo and logo.content, logo_type=logo and logo.media_type)
    )


def accept(content: bytes) -> Logo:
    """Return an uploaded picture without what hangs on it; refuse what is no picture or could act."""
    if len(content) > LARGEST:
        raise Invalid("logo", "choose a picture of at most 500 kB")
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        made = Logo(_png(content), "image/png")
    elif content.startswith(b"\xff\xd8\xff"):
        made = Logo(_jpeg(content), "image/jpeg")
    elif b"<svg" in content or b":svg" in content:
        made = Logo(_svg(content), "image/svg+xml")
    else:
        raise Invalid("logo", "choose a PNG, JPEG or SVG picture")
    if not is_drawable(made):
        raise _damaged()
    return made


def _damaged() -> Invalid:
    return Invalid("logo", "the picture is damaged or incomplete; save it again")


def _sized(width: int, height: int) -> None:
    if not (width and height):
        raise _damaged()
    if max(width, height) > _MOST_PIXELS:
        raise Invalid("logo", "choose a picture of at most 4,000 by 4,000 pixels")


def _png(content: bytes) -> bytes:
    """Keep what shows: neither texts nor what is hung on behind."""
    kept, at, ended = [content[:8]], 8, False
    while not ended:
        length, kind = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
        whole = content[at : at + 12 + length]
        if len(whole) != 12 + length or zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:]):
            raise _damaged()
        if at == 8:
            if kind != b"IHDR" or length != 13:
                raise _damaged()
            _sized(int.from_bytes(whole[8:12]), int.from_bytes(whole[12:16]))
        if kind[:1].isupper() or kind in (b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"pHYs"):
            kept.append(whole)
        at, ended = at + 12 + length, kind == b"IEND"
    if not any(chunk[4:8] == b"IDAT" for chunk in kept[1:]):
        raise _damaged()
    return b"".join(kept)


def _jpeg(content: bytes) -> bytes:
    """Keep what shows: not where and by whom it was taken, nor what is hung on behind."""
    kept, at, size = [content[:2]], 2, None
    while content[at : at + 1] == b"\xff" and content[at + 1 : at + 2] != b"\xda":
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4])
        segment = content[at : at + 2 + length]
        if length < 2 or len(segment) != 2 + length:
            raise _damaged()
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and length >= 8:
            size = int.from_bytes(segment[7:9]), int.from_bytes(segment[5:7])
        # Of what programs say, only the colours: JFIF, ICC and Adobe.
        if not (0xE1 <= marker <= 0xEF or marker == 0xFE) or marker in (0xE2, 0xEE):
            kept.append(segment)
        at += 2 + length
    ends = content.rfind(b"\xff\xd9")
    if size is None or content[at : at + 2] != b"\xff\xda" or ends < at:
        raise _damaged()
    _sized(*size)
    return b"".join([*kept, content[at : ends + 2]])


def _svg(content: bytes) -> bytes:
    """Keep what draws; drop what drawing programs note for themselves; refuse what acts or fetches."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("logo", "save the SVG as UTF-8, or upload a PNG") from None
    if "<!ENTITY" in text:
        raise Invalid("logo", "the SVG declares entities; save it as plain SVG, or upload a PNG")
    try:
        root = ET.fromstring(text)  # noqa: S314 - without entities; expat itself fetches nothing
    except (ET.ParseError, ValueError):
        raise _damaged() from None
    if root.tag != f"{_SVG}svg":
        raise Invalid("logo", "choose a PNG, JPEG or SVG picture")
    ET.register_namespace("", _SVG[1:-1])
    ET.register_namespace("xlink", _HREF[1:].partition("}")[0])
    try:
        _clean(root)
        made: bytes = ET.tostring(root, encoding="utf-8")
    except RecursionError:
        raise _damaged() from None
    return made


def _clean(element: ET.Element) -> None:
    for name, value in list(element.attrib.items()):
        plain = name.rpartition("}")[2].lower()
        if plain.startswith("on"):
            raise _acts(plain)
        if plain == "href" and not _INNER.match(value.strip()):
            if element.tag == f"{_SVG}a":
                del element.attrib[name]  # a link of a logo leads nowhere here
                continue
            raise Invalid("logo", "the SVG loads another file; save it as plain SVG, or upload a PNG")
        if plain != "href" and _FETCHES.search(value):
            raise Invalid("logo", "the SVG loads another file; save it as plain SVG, or upload a PNG")
        if name.startswith("{") and name != _HREF and not name.startswith("{http://www.w3.org/XML/"):
            del element.attrib[name]
    if element.tag == f"{_SVG}style" and _FETCHES.search("".join(element.itertext())):
        raise Invalid("logo", "the SVG loads another file; save it as plain SVG, or upload a PNG")
    for child in list(element):
        if not str(child.tag).startswith(_SVG) or child.tag[len(_SVG) :] in _DROPPED:
            element.remove(child)
        elif child.tag[len(_SVG) :] not in _DRAWS:
            raise _acts(child.tag[len(_SVG) :])
        else:
            _clean(child)


def _acts(name: str) -> Invalid:
    return Invalid(
        "logo",
        "the SVG contains %(name)s, which a picture does not need; save it as plain SVG, or upload a PNG",
        name=name,
    )
