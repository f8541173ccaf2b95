"""Which server mails go through, and what happens when it takes none."""

import ipaddress
import ssl
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
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import load_settings
from app.core.errors import InvalidSettings
from app.core.mail import Mail, SmtpMailer
from tests.support.accounts import PASSWORD, USERS, configure, told
from tests.support.callers import Save
from tests.support.links import RESET, confirm
from tests.support.mailbox import Mailbox, mailbox, only
from tests.support.users import new_user

NEW = {"email": "new@example.com", "password": PASSWORD}
URL_OF_PRODUCTION = "postgresql+asyncpg://nobody@127.0.0.1:1/nowhere"

IN_CLEAR: dict[str, Any] = {
    "authenticator": only("postern", "secret"),
    "auth_required": True,
    "auth_require_tls": False,
}


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
async def test_a_password_is_never_sent_in_clear(app: FastAPI, visitor: httpx2.AsyncClient) -> None:
    async with mailbox(**IN_CLEAR) as box:
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
    authenticator = only("postern", "p@ss/word:?")
    async with mailbox(tls, authenticator=authenticator, auth_required=True, require_starttls=True) as box:
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
    async with mailbox(**IN_CLEAR) as box:
        configure(app, smtp_url=box.url("postern:hunter2hunter2@"))
        response = await visitor.post(USERS, json=NEW)

    assert (response.status_code, box.mails) == (201, [])
    assert len(lines(caplog, "mail_not_sent")) == 1
    assert "hunter2" not in caplog.text


async def test_a_mail_that_is_not_sent_changes_nothing_in_the_answer(
    app: FastAPI, visitor: httpx2.AsyncClient, save: Save
) -> None:
    await save(new_user(email="ada@example.com"))
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
