"""Backups: made, verified, restored."""

from pathlib import Path

import click

from tracking import clock
from tracking.cli.installation import Installation, counted, json_option, pass_installation
from tracking.errors import Conflict, Invalid
from tracking.keeping import backups, erasure, tables
from tracking.keeping.backups import Contents
from tracking.storage import db, vault
from tracking.storage.config import Settings

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "-o", "--output", type=_FILE, help="Write to this file (default: a new file in RINGTRAIL_BACKUP_DIR)."
)
@json_option
@pass_installation
def create(installation: Installation, output: Path | None) -> None:
    """Back up the running service to an encrypted file and verify it.

    The master key is not in the file: keep a copy of the key file elsewhere.
    """
    settings = installation.settings
    path = backups.create(installation.engine, settings, at=clock.now(), to=output)
    erasure.note_beside(installation.engine, settings)
    size = path.stat().st_size
    installation.tell(f"{path} created and verified ({size:,} bytes)", file=str(path), bytes=size)


@click.command()
@click.argument("file", type=_FILE)
@json_option
@pass_installation
def verify(installation: Installation, file: Path) -> None:
    """Check every byte, row and encrypted value of FILE. Needs the key, but neither database nor service."""
    settings = installation.settings
    _need_keys(settings)
    _tell(installation, file, backups.prove(file, at=clock.now()), "is intact")


@click.command()
@click.argument("file", type=_FILE)
@click.option("--replace", is_flag=True, help="Overwrite existing data.")
@click.option(
    "--schema",
    metavar="NUMBER",
    help="Take the data back to the schema of an older version, such as 0020, which goes on with them. What "
    "that version has no room for is deleted and named.",
)
@json_option
@pass_installation
def restore(installation: Installation, file: Path, replace: bool, schema: str | None) -> None:
    """Restore everything from FILE, or change nothing if that fails.

    Put the key file into the data folder first. People erased since the backup was made are erased again.
    Events in the spool stay and are processed when the service starts.
    """
    settings = installation.settings
    if schema is not None and schema not in db.revisions():
        known = ", ".join(sorted(db.revisions()))
        raise Invalid("schema", "%(schema)s is unknown; use one of: %(known)s", schema=schema, known=known)
    _need_keys(settings)
    engine = db.connect(settings)
    try:
        found, again = erasure.restore(engine, settings, file, at=clock.now(), replace=replace)
        lost = tables.take_back(engine, schema) if schema else []
    finally:
        engine.dispose()
    _tell(installation, file, found, "restored", lost=lost)
    if again and not installation.as_json:
        click.echo(f"{again} people erased since then were erased again")
    if schema and not installation.as_json:
        click.echo(f"the data are at schema {schema}; deleted: {', '.join(lost) or 'nothing'}")


def _need_keys(settings: Settings) -> None:
    if settings.key_file is not None and not settings.key_file.exists():
        # A new key would be made otherwise, which opens nothing.
        raise Conflict(
            "%(path)s not found; put the backup's key file there first",
            path=str(settings.key_file),
        )
    vault.install(settings.keys, settings.key_file)


def _tell(installation: Installation, file: Path, found: Contents, state: str, **more: list[str]) -> None:
    rows, files = sum(found.rows.values()), sum(found.files.values())
    installation.tell(
        f"{file} {state}: made {found.made_at:%Y-%m-%d %H:%M} UTC by Ringtrail {found.program}, schema "
        f"{found.schema}, key {found.key}; {counted(rows, 'row')} of "
        f"{counted(len(found.rows), 'table')}, {counted(files, 'file')}, "
        f"{counted(found.sealed, 'encrypted value')} readable",
        file=str(file),
        made_at=found.made_at,
        program=found.program,
        schema=found.schema,
        key=found.key,
        rows=found.rows,
        files=found.files,
        sealed=found.sealed,
        **more,
    )
