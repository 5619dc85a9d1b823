"""How settings are read from environment variables, and from texts as these would hold them."""

import os
from collections.abc import Iterable
from typing import Any, Self

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from tracking.errors import Invalid, Sentence, say

# Variables with our prefix that steer the test run and the Makefile, not the service.
_NOT_SETTINGS = frozenset({"RINGTRAIL_TEST_DATABASE", "RINGTRAIL_PEERS_PYTHON"})


def _reason(problem: Any) -> Sentence:
    """Return what pydantic says of one value, as a page can say it too."""
    context = problem.get("ctx", {})
    match problem["type"]:
        case "value_error":
            said = context["error"]
            told = said.reason if isinstance(said, Invalid) else next(iter(said.args), "")
            return told if isinstance(told, Sentence) else say(str(told))
        case "greater_than_equal":
            return say("must be at least %(least)s", least=context["ge"])
        case "less_than_equal":
            return say("must be at most %(most)s", most=context["le"])
        case "string_too_long":
            return say("enter at most %(most)s characters", most=context["max_length"])
        case "int_parsing" | "int_from_float" | "float_parsing":
            return say("enter digits only")
    return say("cannot be read; enter it as docs/settings.md shows")


class Environment(BaseSettings):
    """Settings whose variables begin alike."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def variable(cls, name: str) -> str:
        """Return the environment variable of a setting."""
        return f"{cls.model_config['env_prefix']}{name.upper()}"

    @classmethod
    def of_text(cls, name: str, text: str) -> Any:
        """Return what a setting is when its variable holds a text; refuse it as at the start."""
        source = EnvSettingsSource(cls)
        source.env_vars = {cls.variable(name).lower(): text}
        try:
            return getattr(cls(**source()), name)
        except SettingsError:
            raise Invalid(name, "cannot be read; enter it as docs/settings.md shows") from None
        except ValidationError as error:
            raise Invalid.of(name, _reason(error.errors()[0])) from None

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


class ProviderSettings(Environment):
    """What one telephone provider is told from outside; a subclass names its prefix."""
