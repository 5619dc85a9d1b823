"""Settings: each is read from an environment variable ``RINGTRAIL_<NAME>`` and documented here.

Some may be set on a page instead; `tracking.storage.kept` keeps those in the database. The environment wins.
"""

import logging
import re
import shutil
from collections.abc import Mapping
from datetime import time
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel.numbers import list_currencies
from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from tracking.errors import Invalid, say
from tracking.storage import phone, vault
from tracking.storage.environment import Environment
from tracking.storage.environment import ProviderSettings as ProviderSettings


def _known_currency(code: str) -> str:
    if code not in list_currencies():
        raise ValueError(
            say("%(code)r is not a currency code; enter three capital letters such as EUR", code=code)
        )
    return code


def _known_region(code: str) -> str:
    # An unknown one would turn every national number into a malformed one, without a word.
    if code not in phone.REGIONS:
        raise ValueError(
            say("%(code)r is not an ISO 3166 country; write two capitals such as SE or GB", code=code)
        )
    return code


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            say("%(name)r is not an IANA time zone; write one such as Europe/Stockholm", name=name)
        ) from None
    return name


def _time_of_day(text: str) -> str:
    try:
        return text and time.fromisoformat(text).strftime("%H:%M")
    except ValueError:
        raise ValueError(f"{text!r} is not a time of day; enter one such as 02:00") from None


def _periods(text: str) -> str:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not all(part.isdecimal() and len(part) < 5 for part in parts) or int(parts[0]) < 1:
        raise ValueError(
            f"{text!r} is not three counts of days, weeks and months; enter three such as 7,4,12"
        )
    return ",".join(parts)


def _days_kept(text: str) -> str:
    said = text.strip().casefold()
    if said and said != _FOREVER and (not said.isdecimal() or not 1 <= int(said) <= 36_500):
        raise ValueError(f"{text!r} is no number of days; write one such as 400, or {_FOREVER}")
    return said


_FOREVER = "forever"
LONGEST_LOOKBACK_DAYS = 3650
"""The widest lookback window, wherever one is given: ten years."""
PROVIDERS_PATH = "/providers"
"""Where telephone providers call, below ``base_url``; nobody there has signed in."""

COLLECTOR_PATH = "/c"
"""Where the supplier's web pages report visits, below ``base_url`` or on a name of their own."""
COLLECTOR_BYTES = 10_000
"""The largest report of a page view: an address and a referrer of 4,000 characters each."""
FORM_BYTES = 64_000
"""The largest form: a message of ten pages."""

Currency = Annotated[str, AfterValidator(_known_currency)]
_log = logging.getLogger(__name__)


_Own = TypeVar("_Own", bound=ProviderSettings)


_HOST = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_PATH = re.compile(r"[\w.~!$&'()*+,;=:@%/-]*", re.ASCII)
ADDRESS = re.compile(r"[^\s<>@,;\"]{1,64}@[^\s<>@,;\"]{1,130}")
"""What looks like an email address, one and no more."""
_SENDER = re.compile(r"[^\s<>@,]+@[^\s<>@,]+|[^<>\r\n]+<[^\s<>@,]+@[^\s<>@,]+>")
# RFC 6762, 6761 and 8375, and what routers of offices call their own network.
_LOCAL_NAMES = (
    ".local",
    ".localhost",
    ".localdomain",
    ".internal",
    ".intranet",
    ".lan",
    ".home.arpa",
    ".home",
    ".corp",
)


def _taken(kind: type[Environment], name: str, kept: Mapping[str, str], otherwise: Any) -> Any:
    if (text := kept.get(kind.variable(name))) is None:
        return otherwise
    try:
        return kind.of_text(name, text)
    except Invalid as error:
        _log.error("%s, as set on the pages, is left out: %s", kind.variable(name), error.reason)
        return otherwise


ON_PAGES = (
    "company",
    "region",
    "currency",
    "timezone",
    "base_url",
    "short_url",
    "default_destination",
    "dial_timeout_s",
    "smtp_url",
    "mail_from",
    "form_notices",
)
"""What administrators may set on pages, besides all that providers are told."""


class Settings(Environment, env_prefix="RINGTRAIL_"):
    """What one installation is told from outside, by the environment or on the pages of settings."""

    data_dir: Path = Field(Path("var"), description="Folder of the SQLite file, the key file and the spool.")
    database_url: str = Field(
        "", repr=False, description="SQLAlchemy URL; empty: SQLite in data_dir/ringtrail.db."
    )
    key: SecretStr = Field(
        SecretStr(""),
        description="Master key, 32 bytes in base64; while it changes, the new and the old one, a space "
        "between; empty: the file data_dir/ringtrail.key.",
    )
    company: str = Field(
        "",
        max_length=80,
        title="Company name",
        description="Shown on sheets, QR pages and reports.",
    )
    base_url: str = Field(
        "http://127.0.0.1:8000",
        title="Public address",
        description="The address of Ringtrail on the internet, such as https://calls.acme.example. "
        "Your phone provider calls it; QR codes and links in emails lead there.",
    )
    short_url: str = Field(
        "",
        title="Address of short links",
        description="A short domain of your own that leads to Ringtrail, such as https://acme.example. "
        "Leave empty to use the public address.",
    )
    trusted_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names, comma separated, by which this service may be called besides that of base_url.",
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (),
        description="Addresses or networks, comma separated, of proxies whose X-Forwarded-For counts.",
    )
    region: Annotated[str, AfterValidator(_known_region)] = Field(
        "SE",
        title="Country",
        description="Completes phone numbers that are written without a country code.",
    )
    timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "Europe/Stockholm",
        title="Time zone",
        description="Where days begin in reports, and of imported times that name no zone.",
    )
    currency: Currency = Field(
        "EUR",
        title="Currency",
        description="The currency of reports. Amounts in other currencies need an exchange rate.",
    )
    default_destination: str = Field(
        "",
        title="Default destination",
        description="The phone that rings when a number has no destination of its own. Include the "
        "country code.",
    )
    dial_timeout_s: int = Field(
        25,
        ge=5,
        le=600,
        title="Ringing time in seconds",
        description="How long a phone rings before the call counts as missed, from 5 to 600 seconds.",
    )
    lookback_days: int = Field(
        365,
        ge=1,
        le=LONGEST_LOOKBACK_DAYS,
        description="Days before a conversion in which a touch can earn credit (an assumption).",
    )
    half_life_days: float = Field(
        30,
        gt=0,
        le=3650,
        description="Days in which a touch loses half its weight under time decay (an assumption).",
    )
    smtp_url: SecretStr = Field(
        SecretStr(""),
        title="Email server",
        description="Email server, smtp://user:password@host:587 or smtps://host:465; empty: no email.",
    )
    mail_from: str = Field(
        "",
        title="Sender",
        description="The sender of all emails, such as Ringtrail <calls@acme.example>.",
    )
    form_notices: str = Field(
        "",
        title="Email address for forms",
        description="Gets an email for each form from your websites, with the journey so far. A website "
        "can have an address of its own. Leave empty to send none.",
    )
    first_administrator: str = Field(
        "admin@ringtrail.example",
        description="Address with which the first administrator signs in; used once, on the first start.",
    )
    max_upload_bytes: int = Field(
        1_100_000_000, ge=1024, description="Largest file that the pages take, in bytes."
    )
    max_request_bytes: int = Field(
        262_144, ge=1024, description="Largest request body that is read, in bytes."
    )
    metrics_token: SecretStr = Field(
        SecretStr(""),
        description="What a monitor shows as its bearer token to read /metrics; empty: there are no metrics.",
    )
    reserved_bytes: int = Field(
        200_000_000,
        ge=0,
        description="Free space, in bytes, that uploads and imports leave on the disk of data_dir for calls.",
    )
    backup_dir: str = Field(
        "", description="Folder of the backups, best on another disk; empty: data_dir/backups."
    )
    backup_at: Annotated[str, AfterValidator(_time_of_day)] = Field(
        "02:00", description="Local time of the daily backup; empty: the worker makes none."
    )
    backup_keep: Annotated[str, AfterValidator(_periods)] = Field(
        "7,4,12", description="How many backups stay: the last of so many days, weeks and months."
    )
    keep_events_days: Annotated[str, AfterValidator(_days_kept)] = Field(
        "", description="Days for which what telephone providers sent is kept as it came, or forever."
    )
    keep_numbers_days: Annotated[str, AfterValidator(_days_kept)] = Field(
        "",
        description="Days for which callers' numbers and names are kept after their last sign, and what "
        "forms say after they came, or forever.",
    )
    keep_visitors_days: Annotated[str, AfterValidator(_days_kept)] = Field(
        "400",
        description="Days for which website visitors who never called or sent a form are kept after the "
        "last page view, or forever.",
    )
    providers: Annotated[tuple[ProviderSettings, ...], NoDecode] = Field(
        (), repr=False, description="Settings of providers that are not to be read from the environment."
    )
    _kept: Mapping[str, str] = PrivateAttr(default_factory=dict)
    _own: Mapping[type, ProviderSettings] = PrivateAttr(default_factory=dict)

    @field_validator("key")
    @classmethod
    def _usable(cls, value: SecretStr) -> SecretStr:
        if text := value.get_secret_value():
            vault.Keys.from_text(text)
        return value

    @field_validator("trusted_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = tuple(name.strip().lower() for name in value.split(",") if name.strip())
        for name in names:
            if urlsplit(f"//{name}").netloc != name or name.startswith(".") or "*" in name:
                raise ValueError(f"{name!r} is no name of a host; write one such as calls.acme.example")
        return names

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        named = [name.strip() for name in value.split(",") if name.strip()]
        try:
            return tuple(ip_network(name) for name in named)
        except ValueError as error:
            raise ValueError(f"{error}; write addresses or networks such as 127.0.0.1,10.0.0.0/24") from None

    @field_validator("default_destination")
    @classmethod
    def _e164(cls, value: str) -> str:
        return phone.require(value, "ZZ", "default_destination") if value else ""

    @field_validator("base_url", "short_url")
    @classmethod
    def _absolute(cls, value: str, asked: ValidationInfo) -> str:
        if not value and asked.field_name == "short_url":
            return ""
        try:
            parts = urlsplit(value)
            # As browsers and providers write it, so that what they send compares.
            name = (parts.hostname or "").rstrip(".")
            host = f"[{ip_address(name)}]" if ":" in name else name.encode("idna").decode()
            right = _HOST.fullmatch(host) and parts.scheme in ("http", "https") and parts.port != 0
        except ValueError:
            right = None
        if not right:
            raise ValueError(
                say(
                    "%(told)r is not a web address; enter one such as https://calls.acme.example",
                    told=value,
                )
            )
        if "@" in parts.netloc or "?" in value or "#" in value or not _PATH.fullmatch(parts.path):
            raise ValueError(say("enter only https://, a name, and a port or path if needed"))
        port = "" if parts.port is None else f":{parts.port}"
        return f"{parts.scheme}://{host}{port}{parts.path}".rstrip("/")

    @field_validator("form_notices")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not ADDRESS.fullmatch(value):
            raise ValueError(say("%(told)r is not an email address; enter one address", told=value))
        return value

    @field_validator("company")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return " ".join(value.split())

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, value: str) -> str:
        if value and not _SENDER.fullmatch(value):
            raise ValueError(
                say("%(told)r is not a sender; enter an address such as calls@acme.example", told=value)
            )
        return value

    # --- What is set on pages ----------------------------------------------------------------------------

    @property
    def kept(self) -> Mapping[str, str]:
        """Return what was set on pages, by variable, whether the environment leaves it open or not."""
        return self._kept

    def is_given(self, kind: type[Environment], name: str) -> bool:
        """Tell whether a setting is given from outside, so that no page can change it."""
        own = self._given_to(kind) if issubclass(kind, ProviderSettings) else self
        return name in own.model_fields_set

    def adopt(self, kept: Mapping[str, str]) -> None:
        """Take what was set on pages where nothing was given from outside; in force at once, everywhere.

        Whoever holds these settings sees the new ones. What cannot be read is left out, and the log says so.
        """
        fresh = {name: value for name, value in self.__dict__.items() if name in type(self).model_fields}
        for name in ON_PAGES:
            if name not in self.model_fields_set:
                fresh[name] = _taken(type(self), name, kept, type(self).model_fields[name].default)
        self._kept, self._own = dict(kept), {}
        # Replaced whole, what was worked out of the old ones included: other threads read it meanwhile.
        keys = {"keys": self.__dict__["keys"]} if "keys" in self.__dict__ else {}
        object.__setattr__(self, "__dict__", fresh | keys)

    def of(self, provider: type[_Own]) -> _Own:
        """Return the settings of one provider, as they are now."""
        if (held := self._own.get(provider)) is not None and not self.providers:
            return held  # type: ignore[return-value]  # by its kind
        own = self._given_to(provider)
        told = {
            name: _taken(provider, name, self._kept, getattr(own, name))
            for name in provider.model_fields
            if name not in own.model_fields_set
        }
        own = own.model_copy(update=told)
        self._own = {**self._own, provider: own}
        return own

    def _given_to(self, provider: type[_Own]) -> _Own:
        own = next((own for own in self.providers if isinstance(own, provider)), None)
        return own or provider.load()

    @property
    def is_public(self) -> bool:
        """Tell whether others can open the public address: it names no machine of a local network."""
        name = (urlsplit(self.base_url).hostname or "").rstrip(".").lower()
        try:
            found = ip_address(name)
        except ValueError:
            # What ends in a digit is an address in another spelling, such as 127.1.
            return "." in name and not name[-1].isdigit() and not name.endswith(_LOCAL_NAMES)
        return (getattr(found, "ipv4_mapped", None) or found).is_global

    @property
    def links_url(self) -> str:
        """Return the address below which short links are."""
        return self.short_url or self.base_url

    @property
    def hosts(self) -> list[str]:
        """Return the names by which this service may be called; from the machine itself also as such."""
        own = urlsplit(self.base_url).hostname or ""
        return [f"[{own}]" if ":" in own else own, *self.trusted_hosts, "localhost", "127.0.0.1", "[::1]"]

    @property
    def url(self) -> str:
        """Return the database address."""
        return self.database_url or f"sqlite:///{self.data_dir / 'ringtrail.db'}"

    def room(self) -> int:
        """Return how many bytes more the disk of data_dir takes before calls suffer."""
        return shutil.disk_usage(self.data_dir).free - self.reserved_bytes

    @property
    def backups(self) -> Path:
        """Return the folder of the backups."""
        return Path(self.backup_dir) if self.backup_dir else self.data_dir / "backups"

    @property
    def spool_dir(self) -> Path:
        """Return the folder that holds events while the database cannot take them."""
        return self.data_dir / "spool"

    @property
    def views_dir(self) -> Path:
        """Return the folder that holds page views while the database is away."""
        return self.data_dir / "views"

    @cached_property
    def zone(self) -> ZoneInfo:
        """Return the installation's time zone."""
        return ZoneInfo(self.timezone)

    @cached_property
    def keys(self) -> vault.Keys:
        """Return the keys derived from the master key, creating the key file on the first start."""
        secret = self.key.get_secret_value()
        return (
            vault.Keys.from_text(secret) if secret else vault.Keys.from_file(self.data_dir / "ringtrail.key")
        )

    @property
    def key_file(self) -> Path | None:
        """Return the file that holds the keys, where no setting does."""
        return None if self.key.get_secret_value() else self.data_dir / "ringtrail.key"
