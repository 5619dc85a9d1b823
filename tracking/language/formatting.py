"""How pages speak: the user's language, and money, shares, numbers and moments as it writes them."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta
from babel.numbers import format_currency, format_decimal, format_percent
from flask import Flask, current_app, has_request_context, request
from flask_babel import Babel, force_locale, get_locale
from flask_login import current_user
from jinja2 import pass_context

from tracking.errors import Invalid, unpacked
from tracking.language import channels, translate, words
from tracking.storage import money, phone
from tracking.storage.config import Settings

LANGUAGES = {
    "en": "English",
    "en-GB": "English (UK)",
    "sv": "Svenska",
    "ru": "Русский",
    "zh": "简体中文",
}
"""Languages of the pages, each in its own words; British English writes days and times its own way."""
TRANSLATIONS = Path(__file__).parent / "translations"
_TAGS = {"zh": "zh-Hans", "en_GB": "en-GB"}
"""Tags for browsers where they differ from the names of the locales; simplified signs need their fonts."""
NONE = "–"
_WHOLE_FROM = 1000
_WHOLE_SHARE_FROM = 10
_HARDLY, _ALMOST = 0.01, 0.99
_DECIMALS = re.compile(r"\.0+")


def register(app: Flask, settings: Settings) -> None:
    """Teach the templates to speak."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    app.config["BABEL_DEFAULT_TIMEZONE"] = settings.timezone
    Babel(
        app, locale_selector=lambda: language().replace("-", "_"), timezone_selector=lambda: settings.timezone
    )
    filters: dict[str, Callable[..., str | None]] = {
        "amount": pass_context(
            lambda here, minor, currency="": amount(minor, currency or settings.currency, here.get("locale"))
        ),
        "exact": lambda minor, currency="": exact(minor, currency or settings.currency),
        "major": lambda minor, currency: str(money.to_major(minor, currency)),
        "share": pass_context(lambda here, fraction: share(fraction, here.get("locale"))),
        "chance": chance,
        "count": pass_context(lambda here, number: count(number, here.get("locale"))),
        "day": day,
        "moment": lambda at: moment(at, settings),
        "lasting": lambda time: format_timedelta(time, threshold=1.5, locale=_locale()),
        "clock": lambda at: format_time(at.astimezone(settings.zone), "HH:mm", locale=_locale()),
        "mask": phone.mask,
        "partly": phone.partly,
        "name_only": phone.without_number,
        "decimal": lambda figure: NONE if figure is None else format_decimal(figure, "#,##0.00", _locale()),
        "ratio": lambda figure: NONE if figure is None else format_decimal(figure, "#,##0.0", _locale()),
    }
    # A comparison writes thousands of figures: the language is asked for once a page.
    app.context_processor(lambda: {"locale": str(_locale())})
    for name, function in filters.items():
        app.add_template_filter(function, name)
    app.jinja_env.globals.update(languages=LANGUAGES, settings=settings)
    app.add_template_global(lambda: _TAGS.get(str(_locale()), str(_locale())), "lang")
    # A chart's figures go into the page as they are: each space and escaped letter would make it longer.
    written = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False}
    app.jinja_env.policies["json.dumps_kwargs"] = written
    app.jinja_env.finalize = translate.translated
    app.add_template_global(lambda kept: translate.sentence(unpacked(kept)), "said")
    app.add_template_global(translate.why_unavailable, "why_unavailable")
    app.add_template_filter(counted, "counted")
    app.add_template_filter(channels.word, "channel")
    app.add_template_filter(words.actor_word, "actor")
    for name_of in (words.company_name, words.contact_name, words.caller_name):
        app.add_template_filter(name_of)
    app.add_template_filter(words.model_word, "model")
    app.add_template_filter(words.stage_word, "stage")
    app.add_template_filter(words.touch_word, "touch")
    app.add_template_filter(words.measure_word, "measure")


def spoken(language: str) -> AbstractContextManager[None]:
    """Speak a language by the name that a user or a browser has for it, British English as en-GB."""
    found: AbstractContextManager[None] = force_locale(language.replace("-", "_"))
    return found


@contextmanager
def speaking(settings: Settings, language: str) -> Iterator[None]:
    """Speak a language where no request says which: in the worker and on the command line."""
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise Invalid(
            "language", "%(told)r is not an option; use one of: %(known)s", told=language, known=known
        )
    with _voice(settings.timezone).app_context(), spoken(language):
        yield


@cache
def _voice(timezone: str) -> Flask:
    # An application that answers nobody: only with one does Flask-Babel know where the words are.
    app = Flask(__name__)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    app.config["BABEL_DEFAULT_TIMEZONE"] = timezone
    Babel(app)
    return app


def language() -> str:
    """Return the language of this request: the user's own, else the best that the browser asks for."""
    if not has_request_context():
        return "en"
    programs = current_app.extensions.get("ringtrail", {}).get("programs", ())
    # A telephone call must not wait for the database to say who has signed in.
    if not (programs and request.path.startswith(programs)):
        chosen = getattr(current_user, "language", None)
        if chosen in LANGUAGES:
            return str(chosen)
    return request.accept_languages.best_match(LANGUAGES) or "en"


def _locale() -> Locale:
    return get_locale() or Locale("en")


def amount(minor: int | float | None, currency: str, locale: str | None = None) -> str:
    """Write minor units as people read money: €84.50; from a thousand on in whole units, €32,400."""
    return NONE if minor is None else _amount(round(minor), currency, locale or str(_locale()))


# The same ones until the data change.
_written = lru_cache(maxsize=20_000)


@_written
def _amount(minor: int, currency: str, tag: str) -> str:
    locale = Locale.parse(tag)
    major = money.to_major(minor, currency)
    if abs(major) < _WHOLE_FROM:
        return format_currency(major, currency, locale=locale)
    pattern = locale.currency_formats["standard"].pattern
    return format_currency(major, currency, _DECIMALS.sub("", pattern), locale, currency_digits=False)


@cache
def _percent(locale: str, decimals: int) -> str:
    """Return a language's own pattern of percentages, as of CLDR, with so many decimals."""
    pattern: str = Locale.parse(locale).percent_formats[None].pattern
    return pattern.replace("0", f"0.{'0' * decimals}") if decimals else pattern


@_written
def _share(fraction: float, locale: str) -> str:
    decimals = 1 if abs(fraction) < _WHOLE_SHARE_FROM else 0
    return format_percent(fraction, _percent(locale, decimals), locale=locale)


@_written
def _count(number: float, locale: str) -> str:
    return format_decimal(number, "#,##0.#", locale=locale)


def exact(minor: int | None, currency: str) -> str:
    """Write minor units to the last one, where figures have to add up on the page."""
    if minor is None:
        return NONE
    return format_currency(money.to_major(minor, currency), currency, locale=_locale())


def per_unit(back: float | None, currency: str) -> str:
    """Write what each 1 of a currency brought back, to the hundredth: €3.41; whole figures as €1."""
    if back is None:
        return NONE
    pattern = _locale().currency_formats["standard"].pattern
    shown = _DECIMALS.sub("", pattern) if back == round(back) else pattern
    return format_currency(back, currency, shown, _locale(), currency_digits=False)


def share(fraction: float | None, locale: str | None = None) -> str:
    """Write a fraction as a percentage with one decimal; from 1,000% on with none."""
    # A negative zero is equal to zero, and so remembered under the same key.
    return NONE if fraction is None else _share(fraction or 0.0, locale or str(_locale()))


def chance(probability: float | None) -> str:
    """Write a probability as a percentage; near its ends as a bound, since resamples show no certainty."""
    if probability is None:
        return NONE
    sign = "> " if probability > _ALMOST else "< " if probability < _HARDLY else ""
    return sign + format_percent(min(max(probability, _HARDLY), _ALMOST), locale=_locale())


def count(number: float | None, locale: str | None = None) -> str:
    """Write a count, with one decimal where it is no whole number."""
    return NONE if number is None else _count(number or 0, locale or str(_locale()))


def counted(number: float) -> int:
    """Return the number whose form of a counted word goes with a figure as it is written.

    A fraction takes the plural, in Russian that of two: 21 лид, but 21,3 лида.
    """
    written = round(float(number), 1)
    return int(written) if written.is_integer() else 2


def day(value: date | None) -> str:
    """Write a day."""
    return NONE if value is None else format_date(value, "medium", locale=_locale())


def moment(at: datetime | None, settings: Settings) -> str:
    """Write a moment to the minute, in the installation's time zone."""
    if at is None:
        return NONE
    local = at.astimezone(settings.zone)
    return f"{format_date(local, 'medium', _locale())} {format_time(local, 'HH:mm', locale=_locale())}"
