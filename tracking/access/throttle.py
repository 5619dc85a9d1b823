"""How often a secret may be tried: by account, by place, and apart from both by a device the account knows.

A try is counted before it is judged, in a transaction that locks its counters, so that many at once are not
judged more often than one after the other. A device from which the account has signed in before has a counter
of its own: whoever guesses from elsewhere cannot shut it out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tracking.storage import vault
from tracking.storage.models import Tries


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries within so long."""

    tries: int
    within: timedelta


ATTEMPTS = 5
"""Tries for one account from one place after which it has to wait there."""
PAUSE = timedelta(minutes=15)
"""How long it waits."""
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_SOON = Limit(ATTEMPTS, PAUSE)
# What one account bears from all places it does not know: a code of six digits less than a password.
_ABROAD = {"password": Limit(50, _HOUR), "code": Limit(20, _DAY), "link": Limit(10, _DAY)}
# What one place may try, whatever the account: many people may share it.
_PLACE = Limit(100, _HOUR)
_DEVICE = Limit(50, _DAY)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a try comes from: an address, and the mark of a device that the account knows, if it is one."""

    address: str
    device: str = ""

    @property
    def network(self) -> str:
        """Return the address, or of an IPv6 one its network: one line has 2^64 of them."""
        try:
            found = ip_address(self.address)
        except ValueError:
            return self.address
        if isinstance(found, IPv6Address):
            return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
        return str(found)


def admit(session: Session, what: str, account: str, origin: Origin, *, at: datetime) -> bool:
    """Count a try and tell whether it may be judged; one that may not is not counted.

    Parameters
    ----------
    what : str
        "password", "code" or "link".
    account : str
        Whose secret is tried, whether or not there is such an account.
    """
    session.execute(delete(Tries).where(Tries.since < at - _DAY))
    # In one order, so that two tries at once do not wait for each other in a circle.
    counters = sorted(_counters(what, account, origin), key=lambda counter: counter[0])
    found = [(_locked(session, key, account, limit, at), limit) for key, limit in counters]
    if any(row.count >= limit.tries for row, limit in found):
        return False
    for row, _ in found:
        row.count += 1
    session.flush()
    return True


def succeeded(session: Session, what: str, account: str, origin: Origin) -> None:
    """Start counting anew where a try was right, and take it back where others count too."""
    keys = dict(_counters(what, account, origin))
    session.execute(delete(Tries).where(Tries.key.in_([k for k, limit in keys.items() if limit is _SOON])))
    session.execute(
        update(Tries).where(Tries.key.in_(keys), Tries.count > 0).values(count=Tries.count - 1),
        execution_options={"synchronize_session": False},
    )


def forget(session: Session, account: str) -> None:
    """Start counting anew for an account, wherever its tries came from."""
    session.execute(delete(Tries).where(Tries.account == _of(account)))


def _of(account: str) -> str:
    return vault.mark("tries", account.strip().casefold())


def _counters(what: str, account: str, origin: Origin) -> Iterator[tuple[str, Limit]]:
    name = account.strip().casefold()

    def key(*parts: str) -> str:
        return vault.mark("tries", "|".join((what, *parts)))

    if origin.device:
        yield key("device", name, origin.device), _SOON
        yield key("device day", name, origin.device), _DEVICE
        return
    yield key("account and place", name, origin.network), _SOON
    yield key("account", name), _ABROAD[what]
    yield key("place", origin.network), _PLACE


def _locked(session: Session, key: str, account: str, limit: Limit, at: datetime) -> Tries:
    row = session.get(Tries, key, with_for_update=True, populate_existing=True)
    if row is None:
        try:
            with session.begin_nested():
                owner = None if limit is _PLACE else _of(account)
                row = Tries(key=key, account=owner, count=0, since=at)
                session.add(row)
        except IntegrityError:
            # Another try was first to need this counter; it is there now.
            row = session.get_one(Tries, key, with_for_update=True, populate_existing=True)
    # Also where the clock was ahead and has been put right: nobody waits for a day that it only showed.
    if abs(at - row.since) >= limit.within:
        row.count, row.since = 0, at
    return row
