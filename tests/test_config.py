"""Settings: each wrong one is named, all at once, and no secret is ever shown; each stands in the docs."""

import base64
import re
import threading
import traceback
from pathlib import Path

import pytest

from tests.cast import ACME_DESK
from tracking.errors import Invalid
from tracking.storage import vault
from tracking.storage.config import ProviderSettings, Settings
from tracking.telephony import providers
from tracking.telephony.providers.twilio import TwilioSettings

PROVIDERS = [provider for _ in providers.every() for provider in ProviderSettings.__subclasses__()]
VARIABLES = {
    f"{kind.model_config['env_prefix']}{name.upper()}": field
    for kind in (Settings, *PROVIDERS)
    for name, field in kind.model_fields.items()
    if name != "providers"
}
DOCS = Path(__file__).parent.parent / "docs" / "settings.md"
SECRET = "tr0ub4dor-and-3"
KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def load(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(f"RINGTRAIL_{name}", value)
    return Settings.load(elsewhere=[f"RINGTRAIL_{name.upper()}_" for name in providers.names()])


def test_without_any_setting_the_service_starts_for_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch)
    assert settings.url == "sqlite:///var/ringtrail.db"
    assert settings.spool_dir == Path("var/spool")
    assert (settings.region, str(settings.zone), settings.currency) == ("SE", "Europe/Stockholm", "EUR")


def test_every_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        monkeypatch,
        DATA_DIR="/srv/ringtrail",
        DATABASE_URL="postgresql://acme@db/ringtrail",
        KEY=KEY,
        BASE_URL="https://calls.acme.example/tracking/",
        SHORT_URL="https://acme.example/",
        REGION="GB",
        COMPANY="Acme Pumps",
        TIMEZONE="Europe/London",
        CURRENCY="GBP",
        DEFAULT_DESTINATION="+46 70 174 06 90",
        DIAL_TIMEOUT_S="40",
        LOOKBACK_DAYS="90",
        HALF_LIFE_DAYS="30",
        MAX_REQUEST_BYTES="4096",
        MAX_UPLOAD_BYTES="8192",
        SMTP_URL="smtp://mail.acme.example:587",
        MAIL_FROM="Ringtrail <calls@acme.example>",
        FORM_NOTICES="sales@acme.example",
        FIRST_ADMINISTRATOR="anna@acme.example",
        TRUSTED_HOSTS="intranet",
        TRUSTED_PROXIES="10.0.0.1",
        RESERVED_BYTES="0",
        METRICS_TOKEN="a token",
        BACKUP_DIR="/mnt/backups",
        BACKUP_AT="03:30",
        BACKUP_KEEP="14, 8, 24",
        KEEP_EVENTS_DAYS="400",
        KEEP_NUMBERS_DAYS="Forever",
        KEEP_VISITORS_DAYS="180",
    )
    assert settings.model_fields_set == set(Settings.model_fields) - {"providers"}
    assert settings.url == "postgresql://acme@db/ringtrail"
    assert settings.base_url == "https://calls.acme.example/tracking"
    assert settings.links_url == "https://acme.example"
    assert settings.default_destination == ACME_DESK
    assert settings.backup_keep == "14,8,24"
    assert (settings.keep_events_days, settings.keep_numbers_days) == ("400", "forever")
    assert settings.keys == vault.Keys.from_text(KEY)


def test_a_provider_reads_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        monkeypatch,
        TWILIO_ACCOUNT_SID="AC1",
        TWILIO_AUTH_TOKENS="new-one, old-one,",
        TWILIO_SHARED_KEYS="one=a=b, two=c",
    )
    twilio = settings.of(TwilioSettings)
    assert twilio.account_sid == "AC1"
    assert [token.get_secret_value() for token in twilio.auth_tokens] == ["new-one", "old-one"]
    keys = {name: key.get_secret_value() for name, key in twilio.shared_keys.items()}
    assert keys == {"one": "a=b", "two": "c"}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("SHARED_KEYS", "a=b,c", "RINGTRAIL_TWILIO_SHARED_KEYS: key 2 of 2 is not of the form id=secret"),
        ("COLOUR", "red", "RINGTRAIL_TWILIO_COLOUR: no such setting; see docs/settings.md"),
    ],
)
def test_a_wrong_setting_of_a_provider_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    settings = load(monkeypatch, **{f"TWILIO_{name}": value})
    with pytest.raises(Invalid, match=reason):
        settings.of(TwilioSettings)


WRONG = {
    "KEY": ("short", "RINGTRAIL_KEY: key: the master key"),
    "BASE_URL": ("calls.acme.example", "RINGTRAIL_BASE_URL: 'calls.acme.example' is not a web address"),
    "REGION": (
        "UK",
        "RINGTRAIL_REGION: 'UK' is not an ISO 3166 country; write two capitals such as SE or GB",
    ),
    "TIMEZONE": ("Mars", "RINGTRAIL_TIMEZONE: 'Mars' is not an IANA time zone"),
    "CURRENCY": ("eur", "RINGTRAIL_CURRENCY: 'eur' is not a currency code"),
    "DEFAULT_DESTINATION": ("112", "RINGTRAIL_DEFAULT_DESTINATION: .*'112' is not a phone number"),
    "DIAL_TIMEOUT_S": ("4", "RINGTRAIL_DIAL_TIMEOUT_S: .*greater than or equal to 5"),
    "LOOKBACK_DAYS": ("forever", "RINGTRAIL_LOOKBACK_DAYS: .*valid integer"),
    "MAX_REQUEST_BYTES": ("", "RINGTRAIL_MAX_REQUEST_BYTES: .*valid integer"),
    "TRUSTED_HOSTS": ("https://acme.example", "RINGTRAIL_TRUSTED_HOSTS: .*is no name of a host"),
    "TRUSTED_PROXIES": ("the proxy", "RINGTRAIL_TRUSTED_PROXIES: .*write addresses or networks"),
    "COLOUR": ("red", "RINGTRAIL_COLOUR: no such setting; see docs/settings.md"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    value, reason = WRONG[name]
    with pytest.raises(Invalid, match=reason):
        load(monkeypatch, **{name: value})


def test_all_wrong_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Invalid) as refused:
        load(monkeypatch, **{name: value for name, (value, _) in WRONG.items()})
    lines = str(refused.value).splitlines()
    assert len(lines) == len(WRONG)
    for _, reason in WRONG.values():
        assert any(re.search(reason, line) for line in lines), reason


@pytest.mark.parametrize("zone", ["", "Europe", "../../etc/passwd", "/etc/localtime", "Europe/Stockholm\x00"])
def test_a_zone_is_a_name_and_never_a_file(zone: str) -> None:
    with pytest.raises(Invalid, match="is not an IANA time zone"):
        Settings.load(timezone=zone)


@pytest.mark.parametrize(
    "address",
    [
        "https://",
        "ftp://x",
        "https://a b",
        "https://x/?q",
        "https://x/#f",
        f"https://u:{SECRET}@x",
        "https:x",
    ],
)
def test_the_public_address_is_exactly_what_a_provider_calls(address: str) -> None:
    with pytest.raises(Invalid, match="RINGTRAIL_BASE_URL") as refused:
        Settings.load(base_url=address)
    assert SECRET not in str(refused.value)


def test_no_secret_is_shown_by_settings_in_any_form(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        monkeypatch,
        KEY=KEY,
        DATABASE_URL=f"postgresql://acme:{SECRET}@db/ringtrail",
        TWILIO_AUTH_TOKENS=SECRET,
        TWILIO_SHARED_KEYS=f"one={SECRET}",
    )
    twilio = settings.of(TwilioSettings)
    given = settings.model_copy(update={"providers": (twilio,)})
    for shown in (repr(settings), str(settings), f"{settings}", repr(twilio), repr(given)):
        assert SECRET not in shown
        assert KEY not in shown


@pytest.mark.parametrize("name", ["KEY", "TWILIO_SHARED_KEYS"])
def test_no_secret_is_shown_when_it_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("RINGTRAIL_TWILIO_AUTH_TOKENS", SECRET)
    with pytest.raises(Invalid) as refused:
        load(monkeypatch, **{name: SECRET}).of(TwilioSettings)
    told = "".join(traceback.format_exception(refused.value))
    assert f"RINGTRAIL_{name}" in told
    assert SECRET not in told


@pytest.mark.parametrize("wrong", [SECRET, f"{SECRET}=", f"=x,{SECRET}"])
def test_a_secret_in_the_wrong_place_is_not_repeated(wrong: str) -> None:
    with pytest.raises(ValueError, match="not of the form id=secret") as refused:
        TwilioSettings(shared_keys=wrong)
    assert SECRET not in str(refused.value)


# --- The key ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "ключ", "a", "not base64!", "c2hvcnQ=", KEY[:-4], KEY + KEY])
def test_text_that_is_no_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(Invalid, match="make one with `ringtrail key`") as refused:
        vault.Keys.from_text(text)
    assert len(text) < 2 or text not in str(refused.value)


def test_processes_that_start_together_share_one_key_and_none_sees_half_of_it(tmp_path: Path) -> None:
    path, together, found = tmp_path / "var" / "ringtrail.key", threading.Barrier(8), []

    def start() -> None:
        together.wait()
        found.append(vault.Keys.from_file(path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [file.name for file in path.parent.iterdir()] == ["ringtrail.key"], "no draft is left behind"


@pytest.mark.parametrize("sealed", [b"", b"short", b"x" * 11, b"x" * 12, b"x" * 27, b"x" * 100])
def test_what_was_never_sealed_is_told_apart_from_what_is(sealed: bytes) -> None:
    vault.install(vault.Keys.from_text(KEY))
    with pytest.raises(Invalid, match="this key did not seal these data"):
        vault.unseal(sealed, "call.caller")


# --- The documentation -----------------------------------------------------------------------------------


def test_every_setting_stands_in_the_documentation_with_its_default() -> None:
    described = dict(re.findall(r"(?ms)^### `(RINGTRAIL_\w+)`\n\n(.+?)(?=^##|\Z)", DOCS.read_text()))
    assert set(described) == set(VARIABLES)
    for name, field in VARIABLES.items():
        text = described[name]
        assert {"Default:", "Unit:", "Example:"} <= set(re.findall(r"^- (\w+:)", text, re.MULTILINE)), name
        wanted = f"`{field.default}`" if str(field.default) not in ("", "()", "{}") else "empty"
        assert re.search(rf"^- Default: {re.escape(wanted)}", text, re.MULTILINE), f"{name}: {wanted}"


def test_every_example_of_the_documentation_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    examples = re.findall(r"^- Example: `RINGTRAIL_(\w+)=(.*)`$", DOCS.read_text(), re.MULTILINE)
    assert len(examples) == len(VARIABLES)
    settings = load(monkeypatch, **dict(examples))
    assert [settings.of(kind) for kind in PROVIDERS]
