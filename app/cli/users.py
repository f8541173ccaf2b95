"""`postern users`: what has to be possible before anybody can sign in."""

import asyncio
import sys
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from app.core.config import Settings, load_settings
from app.core.logs import configure_logging
from app.core.security import Passwords
from app.db.provision import provisioned_url
from app.db.session import Database
from app.repos.auth_sessions import AuthSessionRepo
from app.repos.users import UserRepo
from app.schemas.auth import Password
from app.schemas.users import Email
from app.services.admins import AdminService

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
        typer.echo(f"postern: {error.errors(include_input=False)[0]['msg']}", err=True)
        raise typer.Exit(1) from None
    created = asyncio.run(_create(settings, address, password))
    typer.echo(f"{address} {'was created as' if created else 'is now'} an administrator")


async def _create(settings: Settings, email: str, password: str) -> bool:
    async with provisioned_url(settings) as url:
        database = Database(url, settings)
        try:
            async with database.transaction() as session:
                service = AdminService(UserRepo(session), AuthSessionRepo(session), Passwords(settings))
                return await service.create_admin(email, password)
        finally:
            await database.close()
