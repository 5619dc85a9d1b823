"""Settings, each read from an environment variable ``RINGTRAIL_<NAME>``, each documented here."""

import os
import shutil
from collections.abc import Iterable
from datetime import time
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Self, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel.numbers import list_currencies
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tracking.errors import Invalid
from tracking.storage import phone, vault


def _known_currency(code: str) -> str:
    if code not in list_currencies():
        raise ValueError(f"{code!r} is not a currency code; enter three capital letters such as EUR")
    return code


def _known_region(code: str) -> str:
    # An unknown one would turn every national number into a malformed one, without a word.
    if code not in phone.REGIONS:
        raise ValueError(f"{code!r} is not an ISO 3166 country; write two capitals such as SE or GB")
    return code


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone; write one such as Europe/Stockholm") from None
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

Currency = Annotated[str, AfterValidator(_known_currency)]


# Variables with our prefix that steer the test run and the Makefile, not the service.
_NOT_SETTINGS = frozenset({"RINGTRAIL_TEST_DATABASE", "RINGTRAIL_PEERS_PYTHON"})


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def load(cls, *, elsewhere: Iterable[str] = (), **overrides: object) -> Self:
        """Read the environment; every wrong or unknown setting is named in one error.

        Variables that begin with one of ``elsewhere`` are read by others.
        """
        prefix = str(cls.model_config["env_prefix"])
        known = {f"{prefix}{name.upper()}" for name in cls.model_fields if name != "providers"}
        unknown = sorted(
            name
            for name in os.environ
            if name.startswith(prefix)
            and name not in known | _NOT_SETTINGS
            and not name.startswith(tuple(elsewhere))
        )
        problems = [f"{name}: no such setting; see docs/settings.md" for name in unknown]
        settings = None
        try:
            settings = cls(**overrides)
        except ValidationError as error:
            problems += [
                f"{prefix}{'_'.join(str(p) for p in e['loc'][:1]).upper()}: "
                f"{e.get('ctx', {}).get('error', e['msg'])}"
                for e in error.errors()
            ]
        if problems or settings is None:
            raise Invalid("settings", "\n".join(problems))
        return settings


class ProviderSettings(_Environment):
    """What one telephone provider is told from outside; a subclass names its prefix."""


_Own = TypeVar("_Own", bound=ProviderSettings)


class Settings(_Environment, env_prefix="RINGTRAIL_"):
    """What one installation is told from outside; everything else lives in its database."""

    data_dir: Path = Field(Path("var"), description="Folder of the SQLite file, the key file and the spool.")
    database_url: str = Field(
        "", repr=False, description="SQLAlchemy URL; empty: SQLite in data_dir/ringtrail.db."
    )
    key: SecretStr = Field(
        SecretStr(""),
        description="Master key, 32 bytes in base64; while it changes, the new and the old one, a space "
        "between; empty: the file data_dir/ringtrail.key.",
    )
    base_url: str = Field(
        "http://127.0.0.1:8000",
        description="Public address of this service as the telephone provider calls it; signatures cover it.",
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
        "SE", description="ISO 3166 country that completes national numbers."
    )
    timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "Europe/Stockholm", description="IANA zone of local days, and of imported times that name none."
    )
    currency: Currency = Field(
        "EUR", description="ISO 4217 currency of reports; others need a dated exchange rate."
    )
    default_destination: str = Field(
        "", description="Number that rings when nothing better is known, so that no caller hears silence."
    )
    dial_timeout_s: int = Field(
        25, ge=5, le=600, description="Seconds the destination rings before it counts as missed."
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
        description="Mail server, smtp://user:password@host:587 or smtps://host:465; empty: no mail.",
    )
    mail_from: str = Field("", description="Sender of mail, such as Ringtrail <calls@acme.example>.")
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
        description="Days for which callers' numbers and names are kept after their last sign, or forever.",
    )
    providers: Annotated[tuple[ProviderSettings, ...], NoDecode] = Field(
        (), repr=False, description="Settings of providers that are not to be read from the environment."
    )

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

    @field_validator("base_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"{value!r} is no web address; write https:// (or http:// for trials) and a name"
            )
        if parts.username or parts.password or parts.query or parts.fragment or value.split() != [value]:
            raise ValueError("has more than https://, a name, a port and a path; leave the rest out")
        return value.rstrip("/")

    def of(self, provider: type[_Own]) -> _Own:
        """Return the settings of one provider."""
        own = next((own for own in self.providers if isinstance(own, provider)), None)
        return own or provider.load()

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
