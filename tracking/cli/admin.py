"""Running an installation: its database, its keys, its server, its health."""

import logging
import os
import platform
import sys
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from typing import Any

import click
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tracking import clock
from tracking.access import audit, tokens
from tracking.access.tokens import Scope
from tracking.cli.installation import Installation, Moment, Whole, counted, json_option, pass_installation
from tracking.errors import Conflict, Invalid
from tracking.keeping import backups, rekeying, retention
from tracking.storage import db, kept, running
from tracking.storage.config import Settings
from tracking.storage.files import private
from tracking.storage.models import ApiToken, Call, Campaign, InboxEvent
from tracking.telephony import providers
from tracking.telephony.calls import PRACTICE
from tracking.telephony.inbox import Inbox
from tracking.telephony.routing import Routing
from tracking.telephony.spool import Spool


@click.command("upgrade")
@pass_installation
def upgrade(installation: Installation) -> None:
    """Create the database or upgrade its schema."""
    engine = db.install(installation.settings)
    added, left = db.mend(engine)
    if added:
        click.echo(f"added missing parts of the schema: {', '.join(added)}")
    if left:
        words = f"the schema does not match this version: {'; '.join(left)}"
        raise Conflict(
            "%(words)s. Restore a backup or repair it by hand before you run `ringtrail serve`", words=words
        )
    click.echo(f"{db.redact(installation.settings.url)} is at schema {db.revision(engine)[0]}")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on.")
@click.option("--threads", default=8, show_default=True, help="Requests handled at the same time.")
@click.option(
    "--no-worker", is_flag=True, help="Do not start a background worker; run `ringtrail work` yourself."
)
@click.option(
    "--demo",
    "with_demo",
    is_flag=True,
    help="Set up the database first and, if it is empty, load the demo data.",
)
@pass_installation
def serve(
    installation: Installation, host: str, port: int, threads: int, no_worker: bool, with_demo: bool
) -> None:
    """Serve the web pages, the JSON API and the phone provider's webhooks.

    SIGHUP restarts the program, for example after an upgrade, without losing a request.
    """
    from tracking import logs
    from tracking.handover import Post

    # Opened here so that a wrong setting or an old schema is told at once, not in a worker's log.
    logs.begin(logging.WARNING)
    settings = installation.settings
    for provider in providers.every().values():
        provider.obstacle(settings)
    if with_demo:
        db.install(settings).dispose()
        with suppress(Conflict):
            _fill(installation)
    # From here on callers wait instead of being refused, while what takes longest is loaded.
    post = Post(host, port)
    from tracking import server
    from tracking.app import close, create_app, settle
    from tracking.page_process import PageProcess
    from tracking.web.pages import largest_of
    from tracking.worker import Beside

    try:
        _first_administrator(installation)
        engine = installation.engine
    except SQLAlchemyError as error:
        # Calls ring by the last known routing, and are caught up when it is back.
        click.echo(
            f"ringtrail: the database is not available ({type(error).__name__}); calls are still forwarded",
            err=True,
        )
        engine = db.connect(settings)
    pages = PageProcess(threads)
    app = create_app(settings, engine, is_away=installation.away is not None, pages=pages)
    inbox = app.extensions["ringtrail"]["inbox"]
    inbox.prepare()
    # What a stand-in put into the spool waits for nobody's next call.
    post.alone = inbox.start
    settle()
    serving = server.Server(
        app.wsgi_app,
        post.listening,
        threads=threads,
        largest=largest_of(app),
        drafts=settings.data_dir,
        bell=app.extensions["ringtrail"]["bell"],
        inbox=inbox,
        proxies=settings.trusted_proxies,
    )
    if not post.stands_in:
        click.echo(f"Ringtrail at http://{host}:{port}/ (stop with Ctrl+C)")
    with ExitStack() as beside:
        beside.callback(close, app)
        beside.enter_context(running.noted(settings.data_dir, waits=False))
        beside.enter_context(kept.Following(engine, settings))
        beside.enter_context(pages)
        if not (no_worker or post.stands_in):
            beside.enter_context(Beside())
        server.serve(serving, post, beside.close)


def _first_administrator(installation: Installation) -> None:
    """Let the first administrator in, with a password that no service's log keeps."""
    from tracking.web import signin

    settings = installation.settings
    password = signin.first_administrator(installation.engine, settings, at=clock.now())
    if password is None:
        return
    who = f"First administrator: {settings.first_administrator}, password"
    if sys.stdout.isatty():
        click.echo(f"{who} {password} (shown only once)")
        return
    path = settings.data_dir / "first-password"
    with open(path, "w", opener=private) as file:
        file.write(f"{password}\n")
    click.echo(f"{who} in {path}; delete that file once you have signed in")


@click.command()
@click.option("--wipe", is_flag=True, help="Delete the demo data; keep users and the audit trail.")
@click.option(
    "--accounts",
    type=Whole(1),
    default=600,
    show_default=True,
    help="Number of buying companies to simulate.",
)
@click.option(
    "--seed",
    type=Whole(0),
    default=1,
    show_default=True,
    help="Seed of the simulation; the same seed gives the same market.",
)
@json_option
@pass_installation
def demo(installation: Installation, wipe: bool, accounts: int, seed: int) -> None:
    """Load demo data: Acme Pumps, a fictitious pump supplier, with two years of calls, deals and costs.

    The data comes from a simulated market and follows the same rules as live data. All phone numbers are
    reserved for fiction.
    """
    if not wipe:
        _fill(installation, accounts=accounts, seed=seed)
        return
    from tracking.demo import filling

    with db.transaction(installation.engine) as session:
        filling.wipe(session)
        audit.note(session, "terminal", "demo wipe", at=clock.now())
    installation.tell("Demo data deleted.", wiped=True)


def _fill(installation: Installation, **choices: int) -> None:
    from tracking.demo import filling

    rows = filling.fill(installation.engine, clock.now(), **choices)
    nouns = {"account": ("company", "companies")}
    counts = ", ".join(
        counted(count, *nouns.get(name, (name.replace("_", " "),))) for name, count in rows.items()
    )
    installation.tell(f"Loaded Acme Pumps: {counts}. All data is fictitious.", filled=True, rows=rows)


@click.command()
@json_option
@pass_installation
def doctor(installation: Installation) -> None:
    """Check settings, key, database and inbox; exit code 1 if something needs attention."""
    findings = _examine(installation)
    columns = {"check": "Check", "state": "Status", "detail": "Detail"}
    installation.show([f | {"state": "ok" if f["ok"] else "attention"} for f in findings], columns)
    raise SystemExit(0 if all(f["ok"] for f in findings) else 1)


def _examine(installation: Installation) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = []

    def note(check: str, ok: bool, detail: str) -> None:
        findings.append({"check": check, "ok": ok, "detail": detail})

    note("Python", True, platform.python_version())
    try:
        settings = installation.settings
        obstacles = {name: one.obstacle(settings) for name, one in providers.every().items()}
    except Invalid as error:
        note("settings", False, error.reason)
        return findings
    note(
        "settings",
        True,
        f"time zone {settings.timezone}, currency {settings.currency}, region {settings.region}",
    )
    note(
        "default destination",
        bool(settings.default_destination),
        settings.default_destination
        or "set RINGTRAIL_DEFAULT_DESTINATION, or calls to unknown numbers are not forwarded",
    )
    for name, obstacle in obstacles.items():
        refused = f"{obstacle}: its requests get 403"
        # Whoever takes no messages lacks nothing.
        fine = not obstacle or name not in providers.of_calls()
        note(name, fine, refused if obstacle else "signatures are checked")
    note(
        "public address",
        settings.base_url.startswith("https://"),
        settings.base_url
        if settings.base_url.startswith("https://")
        else f"{settings.base_url} is for testing only",
    )
    behind = settings.base_url.startswith("https://") and not settings.trusted_proxies
    note(
        "proxies",
        not behind,
        "RINGTRAIL_TRUSTED_PROXIES is empty, so all clients count as one; set it to your https proxy"
        if behind
        else ", ".join(map(str, settings.trusted_proxies)) or "none",
    )
    if settings.url.startswith("sqlite"):
        safe, version = db.sqlite_is_safe(db.SQLITE_VERSION), ".".join(map(str, db.SQLITE_VERSION))
        note(
            "SQLite",
            safe,
            version if safe else f"{version} can lose WAL writes, so WAL is off; use 3.51.3 or newer",
        )
    note("backup", *_last_backup(settings))
    try:
        engine = installation.engine
        with db.reading(engine) as session:
            note("retention", *_kept(session, settings))
            note("key", True, "matches the database")
            note("key change", *_change_of_key(session))
            waiting = session.scalar(
                select(func.count(InboxEvent.id)).where(InboxEvent.processed_at.is_(None))
            )
            note(
                "inbox",
                not waiting,
                f"{counted(waiting or 0, 'event')} waiting; see `ringtrail inbox replay`",
            )
            real = select(func.count(Call.id), func.max(Call.started_at)).where(Call.provider != PRACTICE)
            calls, last = session.execute(real).one()
            note("calls", True, f"{calls}, the last {last:%Y-%m-%d %H:%M} UTC" if last else "none yet")
            wrong = audit.broken(session)
            note("audit trail", not wrong, wrong or "every entry is linked to the one before")
            note("campaigns", True, str(session.scalar(select(func.count(Campaign.id)))))
        note("database", True, f"{db.redact(settings.url)} at schema {db.revision(engine)[0]}")
    except Exception as error:  # a doctor reports whatever ails the patient
        note("database", False, str(error).splitlines()[0])
    spool = Spool(settings.spool_dir)
    spooled, unreadable = spool.count()
    waits = f"{counted(spooled, 'event')} waiting; start `ringtrail serve`, or run `ringtrail inbox drain`"
    unopened = counted(unreadable, "file")
    closed = f"{unopened} in {settings.spool_dir} cannot be opened; set RINGTRAIL_KEY to the right key"
    note("spool", not spooled + unreadable, (unreadable and closed) or (spooled and waits) or "empty")
    views, broken = Spool(settings.views_dir).count()
    waits = f"{views} waiting, {broken} unreadable in {settings.views_dir}; start `ringtrail serve`"
    note("page views", not views + broken, waits if views + broken else "none waiting")
    if cut_off := backups.cut_off(settings):
        words = f"cut off, files are missing: repeat `ringtrail backup restore` ({cut_off[0]} goes with it)"
        note("restore", False, words)
    there = spool.has_reserve()
    note("reserve", there, "set aside" if there else "none for a full disk; `ringtrail serve` sets it aside")
    mode = os.stat(settings.data_dir).st_mode & 0o077 if settings.data_dir.exists() else 0
    open_to_others = f"{settings.data_dir} is readable by others; run `chmod 700 {settings.data_dir}`"
    note("data folder", not mode, open_to_others if mode else str(settings.data_dir))
    room = settings.room() if settings.data_dir.exists() else 0
    note("free space", room >= 0, f"{max(room, 0):,} bytes before imports stop (RINGTRAIL_RESERVED_BYTES)")
    return findings


def _last_backup(settings: Settings) -> tuple[bool, str]:
    made = backups.proved(settings)
    if not made:
        return False, f"no verified backup in {settings.backups}; run `ringtrail backup create`"
    age = clock.now() - made[0].made_at
    told = f"{made[0].path}, made {age.days * 24 + age.seconds // 3600} hours ago and verified"
    if age < -timedelta(hours=1):
        words = "is of a time to come; check the clock, then run `ringtrail backup create`"
        return False, f"{made[0].path} {words}"
    if age > timedelta(hours=48):
        return False, f"{told}; run `ringtrail backup create` and check the log of `ringtrail work`"
    if settings.data_dir.exists() and os.stat(settings.backups).st_dev == os.stat(settings.data_dir).st_dev:
        told += "; it is on the same disk as the data: copy it elsewhere or set RINGTRAIL_BACKUP_DIR"
    return True, told


def _kept(session: Session, settings: Settings) -> tuple[bool, str]:
    every = retention.plan(session, settings, at=clock.now())
    words = {None: "forever (not chosen yet)", 0: "forever"}
    told = ", ".join(f"{one.name} {words.get(one.days) or counted(one.days or 0, 'day')}" for one in every)
    if any(one.is_much for one in every):
        return False, f"{told}; much is due for deletion at once: see `ringtrail retention`"
    return True, told


def _change_of_key(session: Session) -> tuple[bool, str]:
    if not rekeying.is_going_on(session):
        return True, "none running"
    held = rekeying.progress(session)
    done = f"{held.total - held.left:,} of {held.total:,} values use the new key"
    return True, f"{done}; `ringtrail work` continues, and `ringtrail key reseal` does it now"


def _open_inbox(installation: Installation) -> Inbox:
    settings = installation.settings
    return Inbox(installation.engine, settings, Routing(settings), providers.interpreters(), clock.now)


@click.command("replay")
@click.option(
    "--all", "everything", is_flag=True, help="Process all events again, not only the waiting ones."
)
@pass_installation
def inbox_replay(installation: Installation, everything: bool) -> None:
    """Process waiting events again; safe to repeat."""
    box = _open_inbox(installation)
    count = box.replay(everything=everything)
    left = box.backlog()
    click.echo(
        f"{counted(count, 'event')} processed; {left.failed} failed, {left.waiting} waiting for their call, "
        f"{box.turned_away()} about outgoing or internal calls"
    )


@click.command("drain")
@pass_installation
def inbox_drain(installation: Installation) -> None:
    """Move events from the spool to the inbox."""
    click.echo(f"{counted(_open_inbox(installation).drain(), 'event')} moved from the spool")


@click.command("add")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    default=("read",),
    show_default=True,
    help="Scope of the token (repeatable).",
)
@click.option("--expires", "expires_at", type=Moment(), help="When the token expires (default: never).")
@pass_installation
def token_add(
    installation: Installation, name: str, scopes: tuple[str, ...], expires_at: datetime | None
) -> None:
    """Create an API token named NAME and print it once."""
    with db.transaction(installation.engine) as session:
        secret = tokens.issue(session, name, scopes, at=clock.now(), expires_at=expires_at)
    click.echo(secret)
    click.echo("Copy it now: it is not shown again.", err=True)


@click.command("list")
@json_option
@pass_installation
def token_list(installation: Installation) -> None:
    """List API tokens."""
    with db.reading(installation.engine) as session:
        rows = [
            {
                "prefix": row.prefix,
                "name": row.name,
                "scopes": row.scopes,
                "created": row.created_at,
                "expires": row.expires_at,
                "revoked": row.revoked_at,
                "last_used": row.last_used_at,
            }
            for row in session.scalars(select(ApiToken).order_by(ApiToken.id))
        ]
    headings = {"prefix": "Token", "name": "Name", "scopes": "Scopes", "created": "Created (UTC)"}
    headings |= {"expires": "Expires", "revoked": "Revoked", "last_used": "Last used"}
    installation.show(rows, headings)


@click.command("revoke")
@click.argument("prefix")
@pass_installation
def token_revoke(installation: Installation, prefix: str) -> None:
    """Revoke the token with this PREFIX."""
    with db.transaction(installation.engine) as session:
        tokens.revoke(session, prefix, at=clock.now())
    click.echo(f"token {prefix} revoked")
