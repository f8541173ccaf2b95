"""Sending mail: through an SMTP server when one is configured, into the log in development."""

from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

from app.core.config import Settings
from app.core.logs import describe_error
from app.core.metrics import MAILS

log = structlog.get_logger("app.mail")


@dataclass(frozen=True)
class Mail:
    to: str
    subject: str
    text: str


class Mailer(Protocol):
    async def send(self, mail: Mail) -> None:
        """Delivers the mail or logs why it couldn't; it never raises, because the response was sent already."""


class LogMailer:
    """Development's mailer: the log shows what would have been sent."""

    async def send(self, mail: Mail) -> None:
        log.info("mail", to=mail.to, subject=mail.subject, text=mail.text)


class NoMailer:
    """Production without an SMTP server: logs that a mail was due, without its text."""

    async def send(self, mail: Mail) -> None:
        MAILS.labels("failed").inc()
        log.error("mail_not_sent", reason="SMTP_URL is not set", subject=mail.subject)


class SmtpMailer:
    """`smtp://host` upgrades by STARTTLS where the server can, `smtp://user:password@host` insists on it before it
    sends the password; `smtps://…` is TLS throughout.
    """

    def __init__(self, url: str, sender: str) -> None:
        self._parts = urlsplit(url)
        self._sender = sender

    async def send(self, mail: Mail) -> None:
        tls = self._parts.scheme == "smtps"
        try:
            message = EmailMessage()
            message["From"], message["To"], message["Subject"] = self._sender, mail.to, mail.subject
            message.set_content(mail.text)
            await aiosmtplib.send(
                message,
                hostname=self._parts.hostname,
                port=self._parts.port or (465 if tls else 587),
                username=unquote(self._parts.username) if self._parts.username else None,
                password=unquote(self._parts.password) if self._parts.password else None,
                use_tls=tls,
                start_tls=True if self._parts.username and not tls else None,
                timeout=10,
            )
        # ValueError: an address that can't be a header.
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            MAILS.labels("failed").inc()
            log.error("mail_not_sent", subject=mail.subject, **describe_error(error))
        else:
            MAILS.labels("sent").inc()


def make_mailer(settings: Settings) -> Mailer:
    if settings.smtp_url:
        return SmtpMailer(settings.smtp_url.get_secret_value(), settings.mail_from)
    return NoMailer() if settings.is_production else LogMailer()
