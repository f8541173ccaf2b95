"""A real SMTP server that keeps what it is sent."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Received:
    to: list[str]
    sender: str
    subject: str
    text: str
    encrypted: bool
    user: str | None

    @property
    def token(self) -> str:
        """The token of the link."""
        found = re.search(r"#token=(\S+)", self.text)
        assert found, self.text
        return found[1]


@dataclass
class Mailbox:
    """The server's handler (aiosmtpd calls its `handle_…` methods), and what has arrived."""

    port: int = 0
    mails: list[Received] = field(default_factory=list)
    refuses: str | None = None
    """The answer to every mail, where it isn't taken."""
    on_arrival: Callable[[], None] = lambda: None

    def url(self, credentials: str = "", scheme: str = "smtp") -> str:
        return f"{scheme}://{credentials}127.0.0.1:{self.port}"

    def to(self, address: str | None) -> list[Received]:
        return [mail for mail in self.mails if mail.to == [address]]

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the name that aiosmtpd calls
        self.on_arrival()
        if self.refuses:
            return self.refuses
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append(
            Received(
                to=list(envelope.rcpt_tos),
                sender=str(message["From"]),
                subject=str(message["Subject"]),
                text=message.get_content(),
                encrypted=session.ssl is not None,
                user=session.auth_data.login.decode() if session.authenticated else None,
            )
        )
        return "250 taken"


def only(user: str, password: str) -> Callable[..., AuthResult]:
    """An authenticator that knows one user."""

    def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        known = isinstance(data, LoginPassword) and data == LoginPassword(user.encode(), password.encode())
        return AuthResult(success=known, handled=known, auth_data=data)

    return authenticate


@asynccontextmanager
async def mailbox(
    tls: ssl.SSLContext | None = None, *, implicit: bool = False, smtputf8: bool = True, **options: Any
) -> AsyncIterator[Mailbox]:
    """A server on a free port of the loopback interface, while the block runs; `options` are aiosmtpd's."""
    box = Mailbox()
    if tls and not implicit:
        options["tls_context"] = tls
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(box, hostname="mail.test", enable_SMTPUTF8=smtputf8, **options),
        "127.0.0.1",
        0,
        ssl=tls if implicit else None,
    )
    async with server:
        box.port = server.sockets[0].getsockname()[1]
        yield box
