"""What a route can ask for: the services that read, the services that write, and who asks (app/api/identity.py).

Tests replace the providers through `app.dependency_overrides`: settings, what lives as long as the process, the
reader, transactions, the session, and in app/api/identity.py the caller.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app import wiring
from app.core.config import Settings
from app.core.identity import ClientInfo
from app.db.session import Reader
from app.wiring import ProcessContext, Transactions

USER_AGENT_LENGTH = 200


async def get_settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def get_process_context(request: Request) -> ProcessContext:
    context: ProcessContext = request.app.state.process_context
    return context


async def get_reader(request: Request) -> Reader:
    reader: Reader = request.app.state.database.reader
    return reader


async def get_transactions(request: Request) -> Transactions:
    """Opens write transactions besides the request's own: what they write stays even if the request fails."""
    transactions: Transactions = request.app.state.database.transaction
    return transactions


AppSettings = Annotated[Settings, Depends(get_settings)]
AppContext = Annotated[ProcessContext, Depends(get_process_context)]
ReadConnection = Annotated[Reader, Depends(get_reader)]
WriteTransactions = Annotated[Transactions, Depends(get_transactions)]


async def get_db(transactions: WriteTransactions) -> AsyncIterator[AsyncSession]:
    """The request's one write transaction. It takes a connection with its first statement, not before."""
    async with transactions() as session:
        yield session


# Function scope ends the transaction when the route returns. The default scope would end it after the response
# was sent, and a client could be told of a change that is then lost.
WriteSession = Annotated[AsyncSession, Depends(get_db, scope="function")]


async def get_client(request: Request) -> ClientInfo:
    user_agent = request.headers.get("user-agent")
    return ClientInfo(
        request.client.host if request.client else "unknown", user_agent and user_agent[:USER_AGENT_LENGTH]
    )


async def get_reads(reader: ReadConnection, settings: AppSettings) -> wiring.Reads:
    return wiring.Reads(reader, settings)


async def get_writes(
    session: WriteSession,
    reader: ReadConnection,
    transactions: WriteTransactions,
    context: AppContext,
    settings: AppSettings,
    background: BackgroundTasks,
) -> wiring.Writes:
    return wiring.Writes(
        session,
        reader=reader,
        transactions=transactions,
        context=context,
        settings=settings,
        after_response=background.add_task,
    )


Client = Annotated[ClientInfo, Depends(get_client)]
Reads = Annotated[wiring.Reads, Depends(get_reads)]
Writes = Annotated[wiring.Writes, Depends(get_writes, scope="function")]
