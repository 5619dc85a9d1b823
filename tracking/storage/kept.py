"""Settings that administrators set on pages: in the database, each sealed, with a copy beside the key.

They are in the words of their environment variables, and the environment wins. No webhook asks for them:
:class:`Settings` holds what was read last, and a process that starts while the database is away takes the
copy.
"""

import contextlib
import json
import logging
import os
import threading
from collections.abc import Mapping

from sqlalchemy import Connection, Engine, LargeBinary, delete, select, type_coerce
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tracking.errors import Invalid
from tracking.storage import db, keys, vault
from tracking.storage.config import Settings
from tracking.storage.files import private
from tracking.storage.models import Setting

_log = logging.getLogger(__name__)
_EVERY_S = 2.0
"""How soon a process follows what was set in another one, in seconds."""
COPY = "ringtrail.settings"
"""The copy, in the data folder."""
_PURPOSE = "setting.value"


def put(session: Session, name: str, text: str | None) -> None:
    """Keep what a variable's setting is from now on; None leaves it to its default."""
    session.execute(delete(Setting).where(Setting.name == name))
    if text is not None:
        session.add(Setting(name=name, value=f"{name}={text}"))
    session.flush()


def read(database: Session | Connection) -> dict[str, str]:
    """Return what is kept, by variable."""
    found: dict[str, str] = {}
    for name, sealed in database.execute(select(Setting.name, type_coerce(Setting.value, LargeBinary))):
        try:
            # The name is sealed with it, so that it opens in its own place only.
            whose, _, text = vault.unseal(bytes(sealed), _PURPOSE).partition("=")
            if whose != name:
                raise ValueError(name)
            found[name] = text
        except (Invalid, ValueError):
            _log.error("%s, as set on the pages, is left out: the key did not seal it", name)
    return found


def refresh(database: Session | Connection, settings: Settings) -> None:
    """Let settings be what the database keeps, for all who hold them, and renew the copy."""
    told = read(database)
    if told != settings.kept:
        settings.adopt(told)
        _save(settings, told)


def renew(settings: Settings) -> None:
    """Seal the copy with the key that seals now, if there is one."""
    if (settings.data_dir / COPY).exists():
        _save(settings, settings.kept)


def recall(settings: Settings) -> None:
    """Let settings be what the database kept when it was last read here, as far as the copy tells."""
    path = settings.data_dir / COPY
    try:
        sealed = keys.read(path)
        # Before there is a database, nobody has installed them yet.
        vault.install(settings.keys, settings.key_file)
        told = json.loads(vault.unseal(sealed, COPY))
        settings.adopt({str(name): str(text) for name, text in told.items()})
    except FileNotFoundError:
        return
    except (OSError, ValueError, AttributeError) as error:
        _log.error("the copy of the settings cannot be read: %s", error)


class Following:
    """A thread that lets a process follow what is set in another one, until it is told to stop."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine, self._settings = engine, settings
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="settings", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(_EVERY_S)

    def _follow(self) -> None:
        while not self._over.wait(_EVERY_S):
            with contextlib.suppress(SQLAlchemyError), db.reading(self._engine) as session:
                refresh(session, self._settings)


def _save(settings: Settings, told: Mapping[str, str]) -> None:
    path = settings.data_dir / COPY
    draft = path.with_name(f"{COPY}.{os.getpid()}.{threading.get_ident()}")
    try:
        with open(draft, "wb", opener=private) as file:
            file.write(vault.seal(json.dumps(told), COPY))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        _log.warning("the copy of the settings could not be written: %s", error)
