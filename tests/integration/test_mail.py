"""Mails: who gets them, when, through which server, and what happens when that fails."""

import ipaddress
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import load_settings
from app.core.errors import InvalidSettings
from app.core.mail import Mail, SmtpMailer
from tests.support.accounts import AUTH, PASSWORD, USERS, configure, hashed, sign_in, told
from tests.support.application import client_of, running, storing
from tests.support.callers import Callers, Save
from tests.support.database import ask
from tests.support.factories import UserFactory
from tests.support.mailbox import Mailbox, mailbox, only

RESET = f"{AUTH}/password/reset"
VERIFY = f"{AUTH}/email/verify"
NEW = {"email": "new@example.com", "password": PASSWORD}
URL_OF_PRODUCTION = "postgresql+asyncpg://nobody@127.0.0.1:1/nowhere"


@pytest.fixture
async def box(app: FastAPI) -> AsyncIterator[Mailbox]:
    """Where the application's mails arrive."""
    async with mailbox() as box:
        configure(app, smtp_url=box.url(), public_url="https://blog.example.org/", mail_from="Blog <blog@example.org>")
        yield box


async def confirm(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.post(f"{VERIFY}/confirm", json={"token": token})


async def is_confirmed(connection: AsyncConnection, email: str | None) -> bool:
    found = await connection.scalar(text("SELECT email_verified_at FROM users WHERE email = :email"), {"email": email})
    return found is not None


async def test_signing_up_sends_a_link_that_confirms_the_address(
    visitor: httpx2.AsyncClient, box: Mailbox, connection: AsyncConnection
) -> None:
    await visitor.post(USERS, json=NEW)

    (mail,) = box.mails
    assert (mail.to, mail.sender, mail.subject) == (
        ["new@example.com"],
        "Blog <blog@example.org>",
        "Confirm your e-mail address",
    )
    assert f"https://blog.example.org/verify-email#token={mail.token}" in mail.text.splitlines()
    assert not await is_confirmed(connection, "new@example.com")
    response = await confirm(visitor, mail.token)
    assert (response.status_code, response.content) == (204, b"")
    assert await is_confirmed(connection, "new@example.com")


async def test_a_confirmed_account_may_sign_in_where_an_unconfirmed_one_may_not(
    app: FastAPI, visitor: httpx2.AsyncClient, box: Mailbox
) -> None:
    configure(app, smtp_url=box.url(), unverified_may="nothing")
    await visitor.post(USERS, json=NEW)
    assert (await sign_in(visitor, NEW["email"])).status_code == 403

    await confirm(visitor, box.mails[0].token)

    assert (await sign_in(visitor, NEW["email"])).status_code == 200


@pytest.mark.parametrize(
    "since",
    [
        "UPDATE one_time_tokens SET expires_at = now() - interval '1 second'",
        "UPDATE users SET email = 'elsewhere@example.com'",
        "UPDATE users SET is_active = false",
        "DELETE FROM users",
    ],
)
async def test_a_confirmation_opens_nothing_any_more_after(
    visitor: httpx2.AsyncClient, box: Mailbox, connection: AsyncConnection, since: str
) -> None:
    await visitor.post(USERS, json=NEW)
    await connection.execute(text(since))

    response = await confirm(visitor, box.mails[0].token)

    assert (response.status_code, response.json()["code"]) == (422, "token_refused")
    assert not (await connection.scalars(text("SELECT 1 FROM users WHERE email_verified_at IS NOT NULL"))).all()


async def test_an_address_is_confirmed_once_by_a_link(visitor: httpx2.AsyncClient, box: Mailbox) -> None:
    await visitor.post(USERS, json=NEW)

    assert [(await confirm(visitor, box.mails[0].token)).status_code for _ in range(2)] == [204, 422]


async def test_a_link_that_is_sent_again_replaces_the_first(visitor: httpx2.AsyncClient, box: Mailbox) -> None:
    await visitor.post(USERS, json=NEW)

    response = await visitor.post(VERIFY, json={"email": "NEW@example.com"})

    assert response.status_code == 202
    first, second = box.mails
    assert second.to == ["new@example.com"]
    assert (await confirm(visitor, first.token)).status_code == 422
    assert (await confirm(visitor, second.token)).status_code == 204


async def test_a_confirmed_address_gets_no_further_link(visitor: httpx2.AsyncClient, box: Mailbox) -> None:
    await visitor.post(USERS, json=NEW)
    await confirm(visitor, box.mails[0].token)

    await visitor.post(VERIFY, json={"email": "new@example.com"})

    assert len(box.mails) == 1


async def test_setting_a_password_by_a_link_confirms_the_address_too(
    visitor: httpx2.AsyncClient, box: Mailbox, connection: AsyncConnection
) -> None:
    await visitor.post(USERS, json=NEW)
    await visitor.post(RESET, json={"email": "new@example.com"})

    await visitor.post(f"{RESET}/confirm", json={"token": box.mails[1].token, "password": "another quiet harbour"})

    assert await is_confirmed(connection, "new@example.com")


async def test_a_new_address_has_to_be_confirmed_and_the_old_one_is_told(
    visitor: httpx2.AsyncClient, box: Mailbox, callers: Callers, connection: AsyncConnection
) -> None:
    user = UserFactory(email="old@example.com", password_hash=hashed())
    owner = await callers.signed_in(user)
    change = {"email": "fresh@example.com", "current_password": PASSWORD}

    response = await visitor.patch(f"{USERS}/{user.id}", json=change, headers=owner)

    assert response.status_code == 200
    assert not await is_confirmed(connection, "fresh@example.com")
    (link,), (notice,) = box.to("fresh@example.com"), box.to("old@example.com")
    assert notice.subject == "Your e-mail address was changed"
    assert link.token not in notice.text
    assert "fresh@example.com" not in notice.text
    assert (await confirm(visitor, link.token)).status_code == 204
    assert await is_confirmed(connection, "fresh@example.com")


async def test_a_change_of_other_fields_sends_nothing(
    visitor: httpx2.AsyncClient, box: Mailbox, callers: Callers, connection: AsyncConnection
) -> None:
    user = UserFactory(email="old@example.com")
    owner = await callers.signed_in(user)

    await visitor.patch(f"{USERS}/{user.id}", json={"email": "old@example.com", "name": "Ada"}, headers=owner)

    assert box.mails == []
    assert await is_confirmed(connection, "old@example.com")


async def test_a_link_for_an_address_that_was_changed_twice_confirms_only_the_last(
    visitor: httpx2.AsyncClient, box: Mailbox, callers: Callers, connection: AsyncConnection
) -> None:
    user = UserFactory(email="one@example.com", password_hash=hashed())
    owner = await callers.signed_in(user)
    for email in ("two@example.com", "three@example.com"):
        change = {"email": email, "current_password": PASSWORD}
        await visitor.patch(f"{USERS}/{user.id}", json=change, headers=owner)

    assert (await confirm(visitor, box.to("two@example.com")[0].token)).status_code == 422
    assert not await is_confirmed(connection, "three@example.com")
    assert (await confirm(visitor, box.to("three@example.com")[0].token)).status_code == 204


@pytest.mark.parametrize("email", ["taken@example.com", "not an address"])
async def test_a_sign_up_that_is_refused_sends_nothing(
    visitor: httpx2.AsyncClient, box: Mailbox, save: Save, email: str
) -> None:
    await save(UserFactory(email="taken@example.com"))

    response = await visitor.post(USERS, json={"email": email, "password": PASSWORD})

    assert response.status_code in (409, 422)
    assert box.mails == []


async def test_a_mail_leaves_after_the_commit(live_url: URL) -> None:
    seen: list[Any] = []
    async with mailbox() as box, running(live_url, smtp_url=box.url()) as app, client_of(app, headers={}) as client:
        counts = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM one_time_tokens)"
        box.on_arrival = lambda: seen.extend(ask(live_url, counts))
        await client.post(USERS, json=NEW)
        await client.post(RESET, json={"email": "new@example.com"})

    assert seen == [(1, 1), (1, 2)]


FAILS_AT_COMMIT = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'at commit'; END $$;
CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON one_time_tokens DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION fail();
"""


async def test_no_mail_leaves_when_the_commit_fails(live_url: URL) -> None:
    ask(live_url, FAILS_AT_COMMIT)
    async with mailbox() as box, running(live_url, smtp_url=box.url()) as app, client_of(app, headers={}) as client:
        signed_up = await client.post(USERS, json=NEW)
        await storing(app)(UserFactory(email="ada@example.com"))
        asked = await client.post(RESET, json={"email": "ada@example.com"})

    assert signed_up.status_code >= 500
    assert asked.status_code == 202  # answered before
    assert box.mails == []
    assert ask(live_url, "SELECT count(*) FROM one_time_tokens") == [(0,)]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
async def test_a_password_is_never_sent_in_clear(app: FastAPI, visitor: httpx2.AsyncClient) -> None:
    options = {"authenticator": only("postern", "secret"), "auth_required": True, "auth_require_tls": False}
    async with mailbox(**options) as box:
        configure(app, smtp_url=box.url("postern:secret@"))
        response = await visitor.post(USERS, json=NEW)

        assert response.status_code == 201
        assert box.mails == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "mail.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def test_a_server_that_offers_starttls_gets_the_mail_encrypted(
    app: FastAPI,
    visitor: httpx2.AsyncClient,
    certificate: Path,
    tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    options = {"authenticator": only("postern", "p@ss/word:?"), "auth_required": True, "require_starttls": True}
    async with mailbox(tls, **options) as box:
        configure(app, smtp_url=box.url("postern:p%40ss%2Fword%3A%3F@"))
        await visitor.post(USERS, json=NEW)

    assert [(mail.to, mail.encrypted, mail.user) for mail in box.mails] == [(["new@example.com"], True, "postern")]


async def test_smtps_is_encrypted_from_the_first_byte(
    app: FastAPI,
    visitor: httpx2.AsyncClient,
    certificate: Path,
    tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with mailbox(tls, implicit=True) as box:
        configure(app, smtp_url=box.url(scheme="smtps"))
        await visitor.post(USERS, json=NEW)

    assert [mail.to for mail in box.mails] == [["new@example.com"]]


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """The log's lines of one event."""
    found = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in found if line["event"] == event]


NOWHERE = {
    "nobody listens": "smtp://127.0.0.1:1",
    "no such host": "smtp://mail.invalid:25",
    "a certificate that nobody knows": "smtp://{box}",
    "a certificate that nobody knows, from the first byte": "smtps://{box}",
}


@pytest.mark.parametrize("why", NOWHERE)
async def test_a_mail_that_cannot_be_sent_is_one_line_in_the_log_and_the_request_is_answered(
    app: FastAPI, visitor: httpx2.AsyncClient, tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture, why: str
) -> None:
    async with mailbox(tls) as box:
        configure(app, smtp_url=NOWHERE[why].format(box=f"127.0.0.1:{box.port}"))
        response = await visitor.post(USERS, json=NEW)

    assert response.status_code == 201
    (line,) = lines(caplog, "mail_not_sent")
    assert line["level"] == "error"
    assert line["subject"] == "Confirm your e-mail address"
    assert "@example.com" not in caplog.text
    assert "token=" not in caplog.text
    assert box.mails == []


@pytest.mark.parametrize("answer", ["550 <new@example.com> unknown", "421 later", "451 try again"])
async def test_a_mail_that_the_server_refuses_is_one_line_without_the_address(
    visitor: httpx2.AsyncClient, box: Mailbox, caplog: pytest.LogCaptureFixture, answer: str
) -> None:
    box.refuses = answer

    response = await visitor.post(USERS, json=NEW)

    assert response.status_code == 201
    assert len(lines(caplog, "mail_not_sent")) == 1
    assert lines(caplog, "request_failed") == []
    assert "@example.com" not in caplog.text


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
async def test_a_wrong_password_of_the_server_is_not_in_the_log(
    app: FastAPI, visitor: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"authenticator": only("postern", "secret"), "auth_required": True, "auth_require_tls": False}
    async with mailbox(**options) as box:
        configure(app, smtp_url=box.url("postern:hunter2hunter2@"))
        response = await visitor.post(USERS, json=NEW)

    assert (response.status_code, box.mails) == (201, [])
    assert len(lines(caplog, "mail_not_sent")) == 1
    assert "hunter2" not in caplog.text


async def test_a_mail_that_is_not_sent_changes_nothing_in_the_answer(
    app: FastAPI, visitor: httpx2.AsyncClient, save: Save
) -> None:
    await save(UserFactory(email="ada@example.com"))
    configure(app, smtp_url=NOWHERE["nobody listens"])

    answers = [await visitor.post(RESET, json={"email": f"{name}@example.com"}) for name in ("ada", "unknown")]

    assert answers[0].status_code == 202
    assert told(answers[0]) == told(answers[1])


@pytest.mark.parametrize(
    "email", ["jörg@example.com", "ada@bücher.example", "用户@example.com", "o'hara+x@example.com"]
)
@pytest.mark.parametrize("smtputf8", [True, False])
async def test_an_address_beyond_ascii_is_written_to_or_logged_as_not_sent(
    app: FastAPI, visitor: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture, email: str, smtputf8: bool
) -> None:
    async with mailbox(smtputf8=smtputf8) as box:
        configure(app, smtp_url=box.url())
        response = await visitor.post(USERS, json={"email": email})

    assert response.status_code == 201
    assert lines(caplog, "request_failed") == []
    assert len(box.mails) + len(lines(caplog, "mail_not_sent")) == 1
    if smtputf8:
        assert len(box.mails) == 1


async def test_production_without_a_server_logs_that_a_mail_was_due_and_nothing_of_it(
    app: FastAPI, visitor: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture, connection: AsyncConnection
) -> None:
    configure(app, environment="production", database_url=URL_OF_PRODUCTION)

    response = await visitor.post(USERS, json=NEW)

    assert response.status_code == 201
    (line,) = lines(caplog, "mail_not_sent")
    assert (line["reason"], line["subject"]) == ("SMTP_URL is not set", "Confirm your e-mail address")
    assert lines(caplog, "mail") == []
    assert "token" not in caplog.text
    assert "@example.com" not in caplog.text
    assert await connection.scalar(text("SELECT count(*) FROM one_time_tokens")) == 1


async def test_developments_log_shows_the_mail_and_its_link_works(
    app: FastAPI, visitor: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    configure(app, environment="development")

    await visitor.post(USERS, json=NEW)

    (line,) = lines(caplog, "mail")
    assert line["subject"] == "Confirm your e-mail address"
    token = line["text"].partition("#token=")[2].split()[0]
    assert (await confirm(visitor, token)).status_code == 204


@pytest.mark.parametrize("url", ["http://mail.example.com", "mail.example.com:587", "smtp:/x"])
def test_an_address_of_a_server_that_is_none_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(InvalidSettings, match="SMTP_URL"):
        load_settings(_env_file=None, smtp_url=url)


async def test_an_address_that_is_no_header_is_logged_as_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    await SmtpMailer("smtp://127.0.0.1:9", "Postern <postern@localhost>").send(Mail("a\nb@example.com", "Hello", "…"))

    assert "mail_not_sent" in caplog.text
    assert "example.com" not in caplog.text
