"""What may be done with users."""

from uuid import UUID

from app.core.errors import UserNotFound
from app.db.models import User
from app.repos.users import UserReadRepo, UserRepo
from app.schemas.pages import Page, PageQuery
from app.schemas.users import UserCreate, UserRead, UserUpdate
from app.services.pages import page_of


class UserReadService:
    def __init__(self, users: UserReadRepo) -> None:
        self._users = users

    async def get_user(self, user_id: UUID) -> UserRead:
        row = await self._users.get(user_id)
        if row is None:
            raise UserNotFound
        return UserRead.model_validate(row)

    async def list_users(self, query: PageQuery) -> Page[UserRead]:
        rows = await self._users.page(after=query.after, limit=query.limit + 1)
        return page_of([UserRead.model_validate(row) for row in rows], query.limit, at=lambda user: user.created_at)


class UserService:
    def __init__(self, users: UserRepo) -> None:
        self._users = users

    async def create_user(self, new: UserCreate) -> UserRead:
        user = User(**new.model_dump())
        await self._users.save(user)
        return UserRead.model_validate(user)

    async def update_user(self, user_id: UUID, change: UserUpdate) -> UserRead:
        user = await self._for_update(user_id)
        for field, value in change.model_dump(exclude_unset=True).items():
            setattr(user, field, value)
        await self._users.save(user)
        return UserRead.model_validate(user)

    async def delete_user(self, user_id: UUID) -> None:
        """Removes the user and their posts."""
        await self._users.delete(await self._for_update(user_id))

    async def _for_update(self, user_id: UUID) -> User:
        user = await self._users.get_for_update(user_id)
        if user is None:
            raise UserNotFound
        return user
