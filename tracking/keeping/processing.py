"""The record of processing activities (GDPR Art. 30), as this installation really is."""

from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracking.errors import Sentence, say
from tracking.keeping import backups, retention
from tracking.reporting import mail
from tracking.storage.config import Settings
from tracking.storage.models import (
    ApiToken,
    Call,
    Contact,
    ContactPoint,
    Erasure,
    InboxEvent,
    TrackingNumber,
    User,
)
from tracking.storage.vocabulary import Role

Part = tuple[Sentence, list[tuple[Sentence, Sentence]]]


def record(session: Session, settings: Settings, *, at: datetime) -> list[Part]:
    """Return the record in parts, each with its lines: what is said of, and what."""

    def count(kind: type, *conditions: object) -> int:
        return session.scalar(select(func.count()).select_from(kind).where(*conditions)) or 0  # type: ignore[arg-type]  # conditions

    def kept(days: int | None) -> Sentence:
        if days:
            return say("%(n)s days, then taken out by the worker", n=days)
        return say("for ever, as was chosen") if days == 0 else say("for ever, as nobody has chosen yet")

    limits = retention.chosen(settings)
    sees = {role: count(User, User.role == role, User.active.is_(True)) for role in Role}
    programs = count(ApiToken, ApiToken.revoked_at.is_(None))
    senders = sorted(set(session.scalars(select(TrackingNumber.provider))))
    made = backups.proved(settings)
    days, weeks, months = settings.backup_keep.split(",")
    return [
        (
            say("Who keeps it, and why"),
            [
                (say("Controller"), say("to be filled in: name, address, contact for questions of privacy")),
                (say("Service"), say("Ringtrail at %(address)s", address=settings.base_url)),
                (
                    say("Purpose"),
                    say("to tell which advertising brings inquiries and orders, and to call back"),
                ),
                (
                    say("Legal basis"),
                    say("to be filled in; often legitimate interest (GDPR Art. 6 (1) f), to be weighed"),
                ),
                (say("As of"), say("%(day)s", day=at.astimezone(settings.zone).date().isoformat())),
            ],
        ),
        (
            say("What is kept of people who call or write"),
            [
                (
                    say("Callers' numbers and addresses"),
                    say(
                        "%(points)s numbers and addresses of %(people)s contacts; sealed",
                        points=count(ContactPoint),
                        people=count(Contact),
                    ),
                ),
                (
                    say("Calls"),
                    say(
                        "%(n)s: when, how long, which number was rung, the caller's number (sealed) and "
                        "name, the note of the sales rep",
                        n=count(Call),
                    ),
                ),
                (
                    say("What telephone providers sent, as it came"),
                    say("%(n)s reports; sealed", n=count(InboxEvent)),
                ),
                (say("Recordings"), say("none: Ringtrail neither makes nor keeps recordings")),
                (say("Answers"), say("what callers said when asked where they heard of us")),
            ],
        ),
        (
            say("For how long"),
            [
                (say("Callers' numbers and names"), kept(limits[retention.NUMBERS])),
                (say("What telephone providers sent, as it came"), kept(limits[retention.EVENTS])),
                (say("Files given for an import"), say("a day at most; sealed")),
                (
                    say("Backups"),
                    say(
                        "the last of %(days)s days, %(weeks)s weeks and %(months)s months; %(n)s are there",
                        days=days,
                        weeks=weeks,
                        months=months,
                        n=len(made),
                    ),
                ),
                (say("People taken out so far"), say("%(n)s", n=count(Erasure))),
            ],
        ),
        (
            say("Who receives it"),
            [
                (
                    say("Users"),
                    say(
                        "%(viewers)s viewers see numbers in part; %(others)s sales reps, marketers and "
                        "administrators may have one shown in full, which is put on record",
                        viewers=sees[Role.viewer],
                        others=sum(sees.values()) - sees[Role.viewer],
                    ),
                ),
                (say("Programs"), say("%(n)s tokens of the API are in force", n=programs)),
                (
                    say("Telephone providers"),
                    say("%(names)s", names=", ".join(senders)) if senders else say("none yet"),
                ),
                (
                    say("Email"),
                    say(
                        "by way of %(host)s",
                        host=urlsplit(settings.smtp_url.get_secret_value()).hostname or "",
                    )
                    if mail.is_possible(settings)
                    else say("none is sent"),
                ),
                (say("Other countries"), say("none by Ringtrail itself; to be filled in for the providers")),
            ],
        ),
        (
            say("How it is protected"),
            [
                (
                    say("In the database"),
                    say(
                        "numbers, addresses and what providers sent are sealed with AES-256-GCM, keys outside"
                    ),
                ),
                (
                    say("On the way"),
                    say("https")
                    if settings.base_url.startswith("https:")
                    else say("http, which is for trials only"),
                ),
                (
                    say("Sign-in"),
                    say("by password and second factor; an audit trail that cannot be changed unseen"),
                ),
                (
                    say("Backup"),
                    say("sealed; the last verified one is of %(day)s", day=made[0].made_at.date().isoformat())
                    if made
                    else say("none was verified yet"),
                ),
                (
                    say("Rights of people"),
                    say("all that is kept of somebody is handed out or taken out by one command or page"),
                ),
            ],
        ),
    ]
