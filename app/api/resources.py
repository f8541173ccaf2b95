"""What lives as long as the application and isn't its database."""

from dataclasses import dataclass

from app.core.config import Settings
from app.core.mail import Mailer, make_mailer
from app.core.security import Keyring, Passwords
from app.services.rate_limits import Counter, StorageCounter


@dataclass
class Resources:
    passwords: Passwords
    keyring: Keyring
    mailer: Mailer
    counter: Counter | None
    """Where rate limits are counted; null is the database."""


def make_resources(settings: Settings) -> Resources:
    storage = settings.rate_limit_storage
    return Resources(
        passwords=Passwords(settings),
        keyring=Keyring(settings),
        mailer=make_mailer(settings),
        counter=StorageCounter(storage.get_secret_value()) if storage else None,
    )
