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
    Visitor,
    WebForm,
)
from tracking.storage.vocabulary import Role

Part = tuple[Sentence, list[tuple[Sentence, Sentence]]]


def record(session: Session, settings: Settings, *, at: datetime) -> list[Part]:
    """Return the record in parts, each with its lines: what is said of, and what."""

    def count(kind: type, *conditions: object) -> int:
        return session.scalar(select(func.count()).select_from(kind).where(*conditions)) or 0  # type: ignore[arg-type]  # conditions

    def kept(days: int | None) -> Sentence:
        if days:
            return say("%(n)s days, then deleted automatically", n=days)
        return say("forever (chosen)") if days == 0 else say("forever (not chosen yet)")

    limits = retention.chosen(settings)
    sees = {role: count(User, User.role == role, User.active.is_(True)) for role in Role}
    programs = count(ApiToken, ApiToken.revoked_at.is_(None))
    senders = sorted(set(session.scalars(select(TrackingNumber.provider))))
    made = backups.proved(settings)
    days, weeks, months = settings.backup_keep.split(",")
    return [
        (
            say("Controller and purpose"),
            [
                (say("Controller"), say("fill in: name, address and privacy contact")),
                (say("Service"), say("Ringtrail at %(address)s", address=settings.base_url)),
                (
                    say("Purpose"),
                    say("to measure which advertising brings inquiries and orders, and to call people back"),
                ),
                (
                    say("Legal basis"),
                    say("fill in; often legitimate interest (GDPR Art. 6(1)(f)), after a balancing test"),
                ),
                (say("As of"), say("%(day)s", day=at.astimezone(settings.zone).date().isoformat())),
            ],
        ),
        (
            say("Personal data stored"),
            [
                (
                    say("Phone numbers and email addresses"),
                    say(
                        "%(points)s phone numbers and email addresses of %(people)s contacts, encrypted",
                        points=count(ContactPoint),
                        people=count(Contact),
                    ),
                ),
                (
                    say("Calls"),
                    say(
                        "%(n)s: time, duration, number dialled, caller's number (encrypted) and "
                        "name, sales rep's note",
                        n=count(Call),
                    ),
                ),
                (
                    say("Phone providers' events as received"),
                    say("%(n)s events, encrypted", n=count(InboxEvent)),
                ),
                (say("Recordings"), say("none: Ringtrail does not record calls")),
                (say("Answers"), say("what callers said when asked how they heard about us")),
                (say("Forms"), say("%(n)s: what was entered, encrypted", n=count(WebForm))),
                (
                    say("Website visitors"),
                    say(
                        "%(n)s, each by a random token: time, landing page, source; no IP address",
                        n=count(Visitor),
                    ),
                ),
            ],
        ),
        (
            say("Retention"),
            [
                (say("Phone numbers, names and forms"), kept(limits[retention.NUMBERS])),
                (say("Phone providers' events as received"), kept(limits[retention.EVENTS])),
                (say("Website visitors who never called or sent a form"), kept(limits[retention.VISITORS])),
                (say("Files uploaded for import"), say("one day at most, encrypted")),
                (
                    say("Backups"),
                    say(
                        "the latest of %(days)s days, %(weeks)s weeks and %(months)s months; %(n)s stored",
                        days=days,
                        weeks=weeks,
                        months=months,
                        n=len(made),
                    ),
                ),
                (say("People erased so far"), say("%(n)s", n=count(Erasure))),
            ],
        ),
        (
            say("Recipients"),
            [
                (
                    say("Users"),
                    say(
                        "%(viewers)s viewers see only the last digits of numbers; %(others)s sales "
                        "reps, marketers and administrators can show a full number, which is "
                        "written to the audit trail",
                        viewers=sees[Role.viewer],
                        others=sum(sees.values()) - sees[Role.viewer],
                    ),
                ),
                (say("API clients"), say("%(n)s active API tokens", n=programs)),
                (
                    say("Phone providers"),
                    say("%(names)s", names=", ".join(senders)) if senders else say("none yet"),
                ),
                (
                    say("Email"),
                    say(
                        "sent through %(host)s",
                        host=urlsplit(settings.smtp_url.get_secret_value()).hostname or "",
                    )
                    if mail.is_possible(settings)
                    else say("not sent"),
                ),
                (
                    say("Transfers to other countries"),
                    say("none by Ringtrail itself; fill in for your providers"),
                ),
            ],
        ),
        (
            say("Security measures"),
            [
                (
                    say("Storage"),
                    say(
                        "phone numbers, email addresses and providers' events are encrypted with "
                        "AES-256-GCM; the keys are stored elsewhere"
                    ),
                ),
                (
                    say("Transmission"),
                    say("https") if settings.base_url.startswith("https:") else say("http, for testing only"),
                ),
                (
                    say("Sign-in"),
                    say("password and two-factor authentication; tamper-evident audit trail"),
                ),
                (
                    say("Backup"),
                    say(
                        "encrypted; last verified on %(day)s",
                        day=made[0].made_at.astimezone(settings.zone).date().isoformat(),
                    )
                    if made
                    else say("no verified backup yet"),
                ),
                (
                    say("Data subject rights"),
                    say("one page or command exports or erases all personal data of one person"),
                ),
            ],
        ),
    ]
