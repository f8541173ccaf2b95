"""API keys: made and revoked by their owner, shown once."""

from datetime import UTC, datetime
from uuid import UUID

from app.core.errors import ApiKeyExpired, ApiKeyNotFound, Forbidden, TooManyApiKeys
from app.core.identity import Caller, ClientInfo, Scope
from app.core.security import digest, new_api_key
from app.repos.accounts import AccountRepos
from app.repos.api_keys import ApiKeyReadRepo
from app.schemas.api_keys import ApiKeyCreate, ApiKeyCreated, ApiKeyRead
from app.services.reauthentication import Reauthentication

MAX_KEYS = 100


class ApiKeyReadService:
    def __init__(self, keys: ApiKeyReadRepo) -> None:
        self._keys = keys

    async def list_keys(self, caller: Caller) -> list[ApiKeyRead]:
        return [ApiKeyRead.model_validate(row) for row in await self._keys.of_user(caller.user_id)]


class ApiKeyService:
    def __init__(self, accounts: AccountRepos, reauthentication: Reauthentication) -> None:
        self._users = accounts.users
        self._keys = accounts.keys
        self._reauthentication = reauthentication

    async def create_key(self, new: ApiKeyCreate, caller: Caller, client: ClientInfo) -> ApiKeyCreated:
        """A key outlives the session that makes it, so it takes the password. Raises PasswordWrong or RateLimited."""
        if Scope.ADMIN in new.scopes and not caller.is_admin:
            raise Forbidden
        if new.expires_at and new.expires_at <= datetime.now(UTC):
            raise ApiKeyExpired
        verified = await self._reauthentication.require_password(new.current_password, caller, client)
        verified.require_unchanged(await self._users.get_for_update(caller.user_id))
        if await self._keys.count(caller.user_id) >= MAX_KEYS:
            raise TooManyApiKeys
        secret, prefix = new_api_key()
        values = new.model_dump(exclude={"current_password"}) | {"scopes": sorted(new.scopes)}
        key = await self._keys.create(user_id=caller.user_id, prefix=prefix, key_hash=digest(secret), **values)
        return ApiKeyCreated(key=secret, **ApiKeyRead.model_validate(key).model_dump())

    async def revoke_key(self, key_id: UUID, caller: Caller) -> None:
        key = await self._keys.get_of_user(key_id, caller.user_id)
        if key is None:
            raise ApiKeyNotFound
        await self._keys.revoke(key, datetime.now(UTC))
