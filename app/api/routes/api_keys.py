"""API keys: /api/v1/auth/api-keys."""

from uuid import UUID

from fastapi import APIRouter

from app.api.deps import Client, Reads, Writes
from app.api.errors import problems
from app.api.identity import SignedIn
from app.core.errors import (
    ApiKeyExpired,
    ApiKeyNotFound,
    Forbidden,
    NotAuthenticated,
    PasswordWrong,
    RateLimited,
    RateLimitsUnavailable,
    ScopeMissing,
    TooManyApiKeys,
)
from app.schemas.api_keys import ApiKeyCreate, ApiKeyCreated, ApiKeyRead

router = APIRouter(prefix="/auth/api-keys", tags=["auth"])

LIMITED = (RateLimited, RateLimitsUnavailable)
SIGNED_IN = (NotAuthenticated, ScopeMissing)


@router.post(
    "",
    status_code=201,
    summary="Make an API key; it is shown this once",
    responses=problems(*SIGNED_IN, Forbidden, PasswordWrong, ApiKeyExpired, TooManyApiKeys, *LIMITED),
)
async def create_api_key(new: ApiKeyCreate, writes: Writes, caller: SignedIn, client: Client) -> ApiKeyCreated:
    return await writes.api_keys.create_key(new, caller, client)


@router.get("", status_code=200, summary="List your API keys", responses=problems(*SIGNED_IN))
async def list_api_keys(reads: Reads, caller: SignedIn) -> list[ApiKeyRead]:
    return await reads.api_keys.list_keys(caller)


@router.delete(
    "/{key_id}", status_code=204, summary="Revoke an API key", responses=problems(*SIGNED_IN, ApiKeyNotFound)
)
async def revoke_api_key(key_id: UUID, writes: Writes, caller: SignedIn) -> None:
    await writes.api_keys.revoke_key(key_id, caller)
