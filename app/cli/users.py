"""The command `users`: what has to be possible before anybody can sign in."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from app.core.config import Settings, load_settings
from app.core.logs import configure_logging
from app.core.product import COMMAND
from app.db.provision import provisioned_url
from app.db.session import Database
from app.schemas.auth import Password
from app.schemas.users import Email
from app.services.admins import AdminService
from app.wiring import make_admin_service

app = typer.Typer(help="Accounts.", no_args_is_help=True)


@app.callback()
def users() -> None:
    """Accounts."""


@app.command("create-admin")
def create_admin(
    email: Annotated[str, typer.Argument(help="The administrator's e-mail address; it counts as confirmed.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Create an administrator, or make one of an existing account; asks for the password."""
    settings = load_settings()
    configure_logging(settings)
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        address = TypeAdapter[str](Email).validate_python(email)
        TypeAdapter[object](Password).validate_python(password)
    except ValidationError as error:
        typer.echo(f"{COMMAND}: {error.errors(include_input=False)[0]['msg']}", err=True)
        raise typer.Exit(1) from None
    created = asyncio.run(_administer(settings, lambda admins: admins.create_admin(address, password)))
    typer.echo(f"{address} {'was created as' if created else 'is now'} an administrator")


@app.command("revoke-admin")
def revoke_admin(email: Annotated[str, typer.Argument(help="The administrator's e-mail address.")]) -> None:
    """Make an ordinary account of an administrator's, from their next request on."""
    settings = load_settings()
    configure_logging(settings)
    asyncio.run(_administer(settings, lambda admins: admins.revoke_admin(email)))
    typer.echo(f"{email} is no administrator any more")


async def _administer[Result](settings: Settings, work: Callable[[AdminService], Awaitable[Result]]) -> Result:
    async with provisioned_url(settings) as url:
        database = Database(url, settings)
        try:
            async with database.transaction() as session:
                return await work(make_admin_service(session, settings))
        finally:
            await database.close()
