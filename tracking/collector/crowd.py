"""Who comes too often, and who is no person: limits in memory, on hashes that tell nobody anything."""

import hmac
import re
import secrets
import threading
import time
import tomllib
from functools import cache
from importlib import resources
from ipaddress import IPv6Address, ip_address

VIEWS_A_MINUTE = 120
"""Page views that one address may report: an office behind one line, reading."""
OWN_VIEWS_A_MINUTE = 60
NEW_AN_HOUR = 20
"""Visitors that one address may bring: as many colleagues as compare suppliers in an hour."""
FORMS_AN_HOUR = 10
"""Forms that one address sends in an hour; more are taken for spam."""
MOST_FORMS_AN_HOUR = 60
"""Past so many they are refused."""
WIDER = 4
"""So many times as much as of one network may come of 65,536 neighbouring ones (IPv6)."""
_MOST = 100_000
"""Counters at once; some ten megabytes."""
_SALTED_FOR_S = 24 * 3600


class Crowd:
    """Counts by address and by visitor in one process, and forgets both."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._salt, self._salted_at = secrets.token_bytes(32), time.monotonic()
        self._counts: dict[bytes, tuple[float, int]] = {}
        self._holds: dict[bytes, dict[bytes, float]] = {}
        """By site and place, which visitors hold a number of its pool, and until when."""

    def may_view(self, address: str, token: str | None) -> bool:
        """Count a page view; False where its address or its visitor has had too many."""
        # The address first: whoever is refused fills no memory with visitors that he makes up.
        if not self._of_place("address", address, 60.0, VIEWS_A_MINUTE):
            return False
        return token is None or self._take("visitor", token, 60.0, OWN_VIEWS_A_MINUTE)

    def may_be_new(self, address: str) -> bool:
        """Count a new visitor; False where its address has brought too many."""
        return self._of_place("new", address, 3600.0, NEW_AN_HOUR)

    def may_send(self, address: str) -> tuple[bool, bool]:
        """Count a form; tell whether it may be sent at all, and whether its address sends as people do."""
        taken = self._of_place("form", address, 3600.0, MOST_FORMS_AN_HOUR)
        return taken, self._of_place("a person's form", address, 3600.0, FORMS_AN_HOUR)

    def may_hold(self, address: str, token: str, site: str, *, pool: int, minutes: int) -> bool:
        """Count who holds a number of a site's pool; False where his address has half of the pool already.

        Whoever holds one goes on doing so. One number of the pool anybody may hold.
        """
        now, most = time.monotonic(), max(1, pool // 2)
        with self._lock:
            self._forget(now)
            visitor = self._key("visitor", token)
            places = [self._key("hold", f"{site}|{place}") for place in _places(address)]
            held = [self._holds.setdefault(place, {}) for place in places]
            for each in held:
                for gone in [one for one, until in each.items() if until <= now]:
                    del each[gone]
            may = all(visitor in each or len(each) < most for each in held)
            for each in held if may else ():
                each[visitor] = now + 60.0 * minutes
            return may

    def _of_place(self, kind: str, address: str, seconds: float, most: int) -> bool:
        """Count by an address and, of IPv6, by the networks around it, all of which one may have rented."""
        return all(
            self._take(f"{kind} {wider}", place, seconds, most * (WIDER if wider else 1))
            for wider, place in enumerate(_places(address))
        )

    def _take(self, kind: str, name: str, seconds: float, most: int) -> bool:
        now = time.monotonic()
        with self._lock:
            self._forget(now)
            key = self._key(kind, name)
            until, count = self._counts.get(key, (now + seconds, 0))
            if now >= until:
                until, count = now + seconds, 0
            self._counts[key] = (until, count + 1)
            return count < most

    def _forget(self, now: float) -> None:
        if now - self._salted_at > _SALTED_FOR_S or len(self._counts) + len(self._holds) >= _MOST:
            # A day's hashes tell nothing of the next day's; a flood forgets itself.
            self._salt, self._salted_at = secrets.token_bytes(32), now
            self._counts, self._holds = {}, {}

    def _key(self, kind: str, name: str) -> bytes:
        return hmac.digest(self._salt, f"{kind}|{name}".encode(), "sha256")[:16]


def _places(address: str) -> tuple[str, ...]:
    """Return an address as it is counted: of IPv6 the network that one customer has, and the widest."""
    try:
        found = ip_address(address)
    except ValueError:
        return (address,)
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return f"{int(found) >> 64}/64", f"{int(found) >> 80}/48"
    return (str(getattr(found, "ipv4_mapped", None) or found),)


def is_bot(agent: str) -> bool:
    """Tell whether a user agent says that it is a program."""
    return not agent.strip() or bool(_programs().search(agent))


@cache
def _programs() -> re.Pattern[str]:
    listed = tomllib.loads(resources.files(__package__).joinpath("bots.toml").read_text())
    words = [re.escape(word) for group in listed.values() for word in group]
    return re.compile("|".join(words), re.IGNORECASE)
