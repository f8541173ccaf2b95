"""What the service writes in its mails."""

from app.core.mail import Mail
from app.core.product import NAME
from app.db.models.one_time_token import Purpose

_LINKS: dict[Purpose, tuple[str, str]] = {
    "verify_email": (
        "Confirm your e-mail address",
        """Somebody, probably you, gave this address to {name}. To confirm it, open

{url}/verify-email#token={token}

or send {{"token": "{token}"}} to {url}/api/v1/auth/email/verify/confirm.

The link works once, for three days. If it wasn't you, do nothing.
""",
    ),
    "set_password": (
        "Set your password",
        """Somebody, probably you, asked to set the password of your {name} account. To do it, open

{url}/set-password#token={token}

or send {{"token": "{token}", "password": "…"}} to {url}/api/v1/auth/password/reset/confirm.

The link works once, for an hour. If it wasn't you, do nothing.
""",
    ),
}


def link_mail(to: str, purpose: Purpose, *, url: str, token: str) -> Mail:
    """The mail that carries a one-time link; `url` is where the service is reached, without a slash at its end."""
    subject, text = _LINKS[purpose]
    return Mail(to, subject, text.format(name=NAME, url=url, token=token))


def address_changed_mail(to: str) -> Mail:
    """Tells the old address of an account that it was replaced."""
    text = f"The e-mail address of your {NAME} account was changed. If it wasn't you, tell an administrator.\n"
    return Mail(to, "Your e-mail address was changed", text)
