"""Settings, each read from an environment variable ``RINGTRAIL_<NAME>``, each documented here."""

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel.numbers import list_currencies
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tracking.errors import Invalid
from tracking.storage import phone, vault


def _known_currency(code: str) -> str:
    if code not in list_currencies():
        raise ValueError(f"{code!r} is not an ISO 4217 currency; write three capitals such as EUR")
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


Currency = Annotated[str, AfterValidator(_known_currency)]


class Settings(BaseSettings):
    """What one installation is told from outside; everything else lives in its database."""

    model_config = SettingsConfigDict(
        env_prefix="RINGTRAIL_", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    data_dir: Path = Field(Path("var"), description="Folder of the SQLite file, the key file and the spool.")
    database_url: str = Field(
        "", repr=False, description="SQLAlchemy URL; empty: SQLite in data_dir/ringtrail.db."
    )
    key: SecretStr = Field(
        SecretStr(""),
        description="Master key, 32 bytes in base64; empty: the file data_dir/ringtrail.key.",
    )
    base_url: str = Field(
        "http://127.0.0.1:8000",
        description="Public address of this service as the telephone provider calls it; signatures cover it.",
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
        le=3650,
        description="Days before a conversion in which a touch can earn credit (an assumption).",
    )
    half_life_days: float = Field(
        30,
        gt=0,
        le=3650,
        description="Days in which a touch loses half its weight under time decay (an assumption).",
    )
    twilio_account_sid: str = Field(
        "", description="Twilio account that may call us; empty: any with a valid signature."
    )
    twilio_auth_tokens: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Twilio auth tokens, comma separated; two while one is being replaced."
    )
    twilio_shared_keys: Annotated[dict[str, SecretStr], NoDecode] = Field(
        {}, description="Twilio webhook keys as id=secret, comma separated, for the HMAC-SHA256 signature."
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

    @field_validator("twilio_auth_tokens", mode="before")
    @classmethod
    def _split_tokens(cls, value: object) -> object:
        return tuple(t.strip() for t in value.split(",") if t.strip()) if isinstance(value, str) else value

    @field_validator("twilio_shared_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [item.strip().partition("=") for item in value.split(",") if item.strip()]
        # Only its place is told: what stands there instead of the id may be the secret.
        for place, (name, _, secret) in enumerate(pairs, 1):
            if not (name and secret):
                raise ValueError(f"key {place} of {len(pairs)} is not of the form id=secret")
        return {name: secret for name, _, secret in pairs}

    @field_validator("key")
    @classmethod
    def _usable(cls, value: SecretStr) -> SecretStr:
        if text := value.get_secret_value():
            vault.Keys.from_text(text)
        return value

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

    @property
    def url(self) -> str:
        """Return the database address."""
        return self.database_url or f"sqlite:///{self.data_dir / 'ringtrail.db'}"

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

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """Read the environment; every wrong or unknown setting is named in one error."""
        known = {f"RINGTRAIL_{name.upper()}" for name in cls.model_fields}
        unknown = sorted(
            name for name in os.environ if name.startswith("RINGTRAIL_") and name not in known | _NOT_SETTINGS
        )
        problems = [f"{name}: no such setting; see docs/settings.md" for name in unknown]
        settings = None
        try:
            settings = cls(**overrides)  # type: ignore[arg-type]  # pydantic checks them
        except ValidationError as error:
            problems += [
                f"RINGTRAIL_{'_'.join(str(p) for p in e['loc'][:1]).upper()}: "
                f"{e.get('ctx', {}).get('error', e['msg'])}"
                for e in error.errors()
            ]
        if problems or settings is None:
            raise Invalid("settings", "\n".join(problems))
        return settings


# Variables with our prefix that steer the test run and the Makefile, not the service.
_NOT_SETTINGS = frozenset({"RINGTRAIL_TEST_DATABASE", "RINGTRAIL_PEERS_PYTHON"})
