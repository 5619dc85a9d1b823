"""Settings that pages set: in force for all who hold them, sealed, behind the environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.conftest import KEY
from tests.twilio_requests import TOKEN
from tracking.errors import Invalid
from tracking.storage import config, db, kept, vault
from tracking.storage.config import Settings
from tracking.telephony.providers.twilio import TwilioSettings
from tracking.telephony.routing import Routing

ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


def put(engine: Engine, settings: Settings, **told: str | None) -> None:
    """Keep settings by the names of their variables, and let them be in force here."""
    with db.transaction(engine) as session:
        for name, words in told.items():
            kept.put(session, f"RINGTRAIL_{name}", words)
    follow(engine, settings)


def follow(engine: Engine, settings: Settings) -> None:
    with db.reading(engine) as session:
        kept.refresh(session, settings)


def test_what_is_set_is_in_force_for_whoever_holds_the_settings_until_it_is_cleared(
    settings: Settings, engine: Engine
) -> None:
    put(engine, settings, CURRENCY="SEK", COMPANY="Acme Pumps", TIMEZONE="Europe/Berlin", DIAL_TIMEOUT_S="40")
    assert (settings.currency, settings.company, str(settings.zone)) == ("SEK", "Acme Pumps", "Europe/Berlin")
    assert settings.dial_timeout_s == 40
    put(engine, settings, CURRENCY=None, TIMEZONE="Europe/Paris")
    assert (settings.currency, settings.company, str(settings.zone)) == ("EUR", "Acme Pumps", "Europe/Paris")


def test_a_provider_is_told_at_once_and_the_routing_too(settings: Settings, engine: Engine) -> None:
    bare = Settings(data_dir=settings.data_dir, key=KEY, database_url=settings.database_url)
    routing = Routing(bare)
    assert (routing.destination("+46701740605"), bare.of(TwilioSettings).auth_tokens) == (None, ())
    put(engine, bare, DEFAULT_DESTINATION="+46701740690", TWILIO_AUTH_TOKENS=f"{TOKEN}, another")
    assert routing.destination("+46701740605") == "+46701740690"
    told = [token.get_secret_value() for token in bare.of(TwilioSettings).auth_tokens]
    assert told == [TOKEN, "another"]
    assert TOKEN not in repr(bare)


@ON_SQLITE
def test_the_environment_wins(settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGTRAIL_CURRENCY", "GBP")
    monkeypatch.setenv("RINGTRAIL_TWILIO_ACCOUNT_SID", "AC1")
    told = Settings(data_dir=settings.data_dir, key=KEY)
    put(engine, told, CURRENCY="SEK", TWILIO_ACCOUNT_SID="AC2", TWILIO_AUTH_TOKENS=TOKEN, COMPANY="Acme")
    assert (told.currency, told.company, told.of(TwilioSettings).account_sid) == ("GBP", "Acme", "AC1")
    assert len(told.of(TwilioSettings).auth_tokens) == 1
    assert told.is_given(Settings, "currency")
    assert not told.is_given(Settings, "company")
    assert told.is_given(TwilioSettings, "account_sid")
    assert not told.is_given(TwilioSettings, "auth_tokens")


def test_the_database_and_the_copy_show_no_secret_and_a_value_opens_in_its_own_place_only(
    settings: Settings, engine: Engine
) -> None:
    put(engine, settings, TWILIO_AUTH_TOKENS=TOKEN, COMPANY="Acme Pumps")
    with db.transaction(engine) as session:
        rows = dict(session.execute(text("SELECT name, value FROM setting")).all())
        assert all(TOKEN.encode() not in bytes(value) for value in rows.values())
        move = text("UPDATE setting SET value = :value WHERE name = 'RINGTRAIL_COMPANY'")
        session.execute(move, {"value": rows["RINGTRAIL_TWILIO_AUTH_TOKENS"]})
    copy = settings.data_dir / "ringtrail.settings"
    assert TOKEN.encode() not in copy.read_bytes()
    assert copy.stat().st_mode & 0o077 == 0
    follow(engine, settings)
    assert settings.company == ""


@ON_SQLITE
def test_a_process_that_starts_while_the_database_is_away_has_what_was_kept_last(
    settings: Settings, engine: Engine
) -> None:
    put(engine, settings, TWILIO_AUTH_TOKENS=TOKEN, BASE_URL="https://calls.acme.example")
    later = Settings(data_dir=settings.data_dir, key=KEY)
    kept.recall(later)
    assert later.base_url == "https://calls.acme.example"
    assert later.of(TwilioSettings).auth_tokens[0].get_secret_value() == TOKEN


# What the next start of the program has, with the database and without it.
NEXT_START = """
import os
from tracking.cli.installation import Installation
file = Installation().settings.data_dir / "ringtrail.db"
print(Installation().settings.company)
os.rename(file, f"{file}.away")
print(Installation().settings.company)
"""


@ON_SQLITE
def test_a_program_that_is_started_again_has_what_was_set(settings: Settings, engine: Engine) -> None:
    put(engine, settings, COMPANY="Acme Pumps")
    told = {"RINGTRAIL_DATA_DIR": str(settings.data_dir), "RINGTRAIL_KEY": KEY}
    done = subprocess.run(
        [sys.executable, "-c", NEXT_START], env=os.environ | told, capture_output=True, text=True, check=False
    )
    assert (done.stdout.split("\n"), done.stderr) == (["Acme Pumps", "Acme Pumps", ""], "")


@ON_SQLITE
@pytest.mark.parametrize("content", [b"", b"short", b"x" * 100])
def test_a_damaged_copy_is_passed_over(settings: Settings, content: bytes) -> None:
    vault.install(settings.keys)
    (settings.data_dir / "ringtrail.settings").write_bytes(content)
    kept.recall(settings)
    assert settings.company == ""


@ON_SQLITE
def test_another_process_follows_by_itself(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_EVERY_S", 0.01)
    other = Settings(data_dir=settings.data_dir / "other", key=KEY)
    other.data_dir.mkdir()
    with kept.Following(engine, other) as _:
        with db.transaction(engine) as session:
            kept.put(session, "RINGTRAIL_COMPANY", "Acme Pumps")
        while not other.company:
            pass
    assert other.company == "Acme Pumps"


@ON_SQLITE
def test_what_cannot_be_read_any_more_is_left_out_and_the_log_says_so(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(config._log, "error", lambda text, *values: said.append(text % values))
    put(engine, settings, TIMEZONE="Europe/Atlantis", COMPANY="Acme Pumps")
    assert (settings.timezone, settings.company) == ("Europe/Stockholm", "Acme Pumps")
    assert [line.partition(":")[0] for line in said] == [
        "RINGTRAIL_TIMEZONE, as set on the pages, is left out"
    ]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("https://calls.acme.example", True),
        ("http://8.8.8.8:8000", True),
        ("http://127.0.0.1:8000", False),
        ("http://localhost", False),
        ("http://[::1]:8000", False),
        ("http://[::ffff:10.0.0.1]", False),
        ("http://10.1.2.3", False),
        ("http://192.168.1.20:8000", False),
        ("http://169.254.1.1", False),
        ("http://127.1", False),
        ("http://ringtrail", False),
        ("https://RINGTRAIL.LOCAL", False),
        ("https://ringtrail.local.", False),
        ("https://calls.office.lan", False),
        ("http://0.0.0.0:8000", False),
    ],
)
def test_an_address_is_public_if_it_names_no_machine_of_a_local_network(address: str, public: bool) -> None:
    assert Settings(base_url=address).is_public is public


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("dial_timeout_s", "4", "must be at least 5"),
        ("dial_timeout_s", "soon", "enter digits only"),
        ("company", "x" * 81, "enter at most 80 characters"),
        ("mail_from", "Ringtrail", "'Ringtrail' is not a sender"),
        ("mail_from", "a@b.example\nBcc: c@d.example", "is not a sender"),
        ("base_url", "calls.acme.example", "is not a web address"),
        ("base_url", "https://calls.acme.example:99999", "is not a web address"),
        ("base_url", "https://calls..example", "is not a web address"),
        ("base_url", "https://calls.acme.example/?a=b", "enter only https://"),
        ("default_destination", "112", "'112' is not a phone number"),
    ],
)
def test_a_text_that_is_no_such_setting_is_refused_with_the_remedy(name: str, text: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        Settings.of_text(name, text)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("HTTPS://Calls.Acme.Example/", "https://calls.acme.example"),
        ("https://räknare.example.:8443/pump/", "https://xn--rknare-bua.example:8443/pump"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_address_is_written_as_browsers_and_providers_write_it(typed: str, kept: str) -> None:
    assert Settings(base_url=typed).base_url == kept


def test_the_copy_stays_out_of_a_backup_of_the_folder_that_others_read(tmp_path: Path) -> None:
    (tmp_path / "ringtrail.settings").touch(mode=0o644)
    db.connect(Settings(data_dir=tmp_path, key=KEY)).dispose()
    assert (tmp_path / "ringtrail.settings").stat().st_mode & 0o077 == 0
