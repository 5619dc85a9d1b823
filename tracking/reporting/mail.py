"""Mail out: one message at a time to the installation's own mail server, encrypted where it can be."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from tracking.errors import Invalid, say
from tracking.storage.config import Settings

_TIMEOUT_S = 20


def is_possible(settings: Settings) -> bool:
    """Tell whether a mail server and a sender are set."""
    return bool(settings.smtp_url.get_secret_value() and settings.mail_from)


class Uncertain(OSError):
    """The connection broke while the message was on its way: it may have arrived or not."""

    def __init__(self, cause: OSError) -> None:
        self.whole = say(
            "the connection was lost while sending (%(error)s); the email may have arrived", error=cause
        )
        super().__init__(self.whole)


def send(settings: Settings, message: EmailMessage) -> dict[str, tuple[int, bytes]]:
    """Hand a message to the mail server; sender, date and id are added where it has none.

    Returned are the recipients that the server refused while it took the message for others.

    Raises
    ------
    Invalid
        If no mail server is set, its address cannot be read, or it would hear a password in the clear.
    OSError
        If the server cannot be reached or refuses the message (``smtplib.SMTPException`` is one).
    Uncertain
        If nobody can know whether the server took it.
    """
    if not is_possible(settings):
        raise Invalid("smtp_url", "email is not set up; set RINGTRAIL_SMTP_URL and RINGTRAIL_MAIL_FROM")
    parts = urlsplit(settings.smtp_url.get_secret_value())
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise Invalid("smtp_url", "not a mail server address; write smtp://user:password@host:587")
    for header, value in (
        ("From", settings.mail_from),
        ("Date", formatdate()),
        ("Message-ID", make_msgid(domain=urlsplit(settings.base_url).hostname)),
    ):
        if header not in message:
            message[header] = value
    context = ssl.create_default_context()
    sealed = parts.scheme == "smtps"
    if sealed:
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            parts.hostname, parts.port or 465, timeout=_TIMEOUT_S, context=context
        )
    else:
        server = smtplib.SMTP(parts.hostname, parts.port or 25, timeout=_TIMEOUT_S)
    with server:
        server.ehlo()
        if parts.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
            sealed = True
        if parts.username and not (sealed or _is_here(parts.hostname)):
            raise Invalid(
                "smtp_url",
                "%(host)s offers no encryption, so the password was not sent; use TLS on port 465 or 587",
                host=parts.hostname,
            )
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        try:
            return server.send_message(message)
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused):
            raise
        except OSError as error:
            raise Uncertain(error) from error


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
