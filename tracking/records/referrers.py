"""What kind of site a visitor came from, by its host, label by label; ``referrers.toml`` lists the hosts."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from urllib.parse import SplitResult, unquote, urlsplit

from tracking.language.channels import AI, ORGANIC_SEARCH, ORGANIC_SOCIAL

_CHANNELS = {"ai": AI, "social": ORGANIC_SOCIAL, "search": ORGANIC_SEARCH}
"""In the order in which they are asked: an assistant may live beside a search engine."""
_ENDING = re.compile(r"(?:com|net|org|info|biz|[a-z]{2}|(?:com?|net|org|gov|edu|ac|ne|or)\.[a-z]{2})")
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Site:
    """A site that is known: what it is called, and the channel of who comes from it."""

    name: str
    channel: str


def address(text: str) -> SplitResult | None:
    """Take an address apart, one without its scheme too; None where it is none."""
    text = "".join(text.split())[:_LONGEST].replace("\\", "/")
    if not text:
        return None
    if not re.match(r"[A-Za-z][A-Za-z0-9+.\-]*:(?!\d)", text) and not text.startswith(("/", "?", "#")):
        text = f"//{text}"
    try:
        found = urlsplit(text)
        _ = found.hostname, found.port
    except ValueError:
        return None
    return found


def host(found: SplitResult | None) -> str:
    """Return the host of an address in its one spelling: lower case, ASCII, without port, dot and www."""
    try:
        name = unquote((found.hostname if found else "") or "").rstrip(".").casefold()
        name = name.encode("idna").decode("ascii").lower() if name else ""
    except (ValueError, UnicodeError):
        return ""
    return name.removeprefix("www.") if re.fullmatch(r"[a-z0-9_\-.\[\]:]+", name) else ""


def site(referrer: str) -> Site | None:
    """Return the known site that an address belongs to; None where the list has none."""
    found = address(referrer)
    name = host(found)
    if found is None or not name:
        return None
    exact, patterns = _listed()
    for kind, channel in _CHANNELS.items():
        for end in _ends(name):
            for path, called in exact.get((kind, end), ()):
                # A social network's profiles live below it; beside a search engine lives much that is none.
                if (end == name or kind == "social") and _below(found.path, path):
                    return Site(called, channel)
        for pattern, path, called in patterns.get(kind, ()):
            if pattern.fullmatch(name) and _below(found.path, path):
                return Site(called, channel)
    return None


def named(source: str) -> Site | None:
    """Return the site that a tag or a report names: ``google``, ``LinkedIn``, ``facebook.com``."""
    if "." in source and (found := site(source)) is not None:
        return found
    return _names().get(" ".join(source.casefold().split()))


def _below(path: str, listed: str) -> bool:
    return not listed or f"{path.rstrip('/')}/".startswith(f"/{listed.strip('/')}/")


def _ends(name: str) -> Iterator[str]:
    labels = name.split(".")
    for first in range(len(labels)):
        yield ".".join(labels[first:])


@cache
def _tables() -> Mapping[str, Mapping[str, list[str]]]:
    return tomllib.loads((resources.files(__package__) / "referrers.toml").read_text("utf-8"))


_Exact = dict[tuple[str, str], list[tuple[str, str]]]
_Patterns = dict[str, list[tuple[re.Pattern[str], str, str]]]


@cache
def _listed() -> tuple[_Exact, _Patterns]:
    exact: _Exact = {}
    patterns: _Patterns = {}
    for kind, sites in _tables().items():
        for called, hosts in sites.items():
            for each in hosts:
                name, _, path = each.partition("/")
                if "{}" in name:
                    begin, end = name.split("{}")
                    gap = _ENDING.pattern if not end else r"[a-z0-9\-]+"
                    pattern = re.compile(re.escape(begin) + gap + re.escape(end))
                    patterns.setdefault(kind, []).append((pattern, path, called))
                else:
                    exact.setdefault((kind, name), []).append((path, called))
    return exact, patterns


@cache
def _names() -> Mapping[str, Site]:
    own: dict[str, Site] = {}
    first: dict[str, Site] = {}
    for kind in reversed(_CHANNELS):
        for called, hosts in _tables()[kind].items():
            own[called.casefold()] = Site(called, _CHANNELS[kind])
            first |= {each.split(".")[0]: own[called.casefold()] for each in hosts if each.count(".") == 1}
    # What is a word of its own names no site.
    first = {word: each for word, each in first.items() if len(word) > 2 and word not in _WORDS}
    short = {"fb": "facebook", "ig": "instagram", "insta": "instagram", "vk": "vkontakte", "x": "twitter"}
    return first | own | {name: own[whole] for name, whole in short.items()}


_WORDS = frozenset({"search", "web", "mail", "find", "start", "info", "news", "online", "home", "portal"})
