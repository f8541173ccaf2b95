"""Django Ninja with Django's asynchronous ORM and a pool of psycopg's connections."""

import os
from datetime import datetime
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID, uuid4

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import path

url = urlsplit(os.environ["DATABASE_URL"])
query = {name: values[0] for name, values in parse_qs(url.query).items()}
settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    MIDDLEWARE=[],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": url.path[1:],
            "USER": unquote(url.username or ""),
            "PASSWORD": unquote(url.password or ""),
            "HOST": query.get("host") or url.hostname or "",
            "PORT": query.get("port") or url.port or "",
            "OPTIONS": {"pool": {"min_size": 20, "max_size": 20}},
        }
    },
)
django.setup()

from django.db import models  # noqa: E402 - models need the settings
from django.utils import timezone  # noqa: E402 - models need the settings
from ninja import NinjaAPI, Schema  # noqa: E402 - it reads the settings


class User(models.Model):
    id = models.UUIDField(primary_key=True)
    name = models.TextField(null=True)

    class Meta:
        app_label, db_table, managed = "bench", "users", False


class Post(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4)
    author = models.ForeignKey(User, models.CASCADE)
    title = models.TextField()
    slug = models.TextField(null=True)
    body = models.TextField()
    published_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label, db_table, managed = "bench", "posts", False


class UserRead(Schema):
    id: UUID
    name: str | None


class PostSummary(Schema):
    id: UUID
    title: str
    slug: str | None
    author: UserRead
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime


class PostRead(PostSummary):
    body: str


class Page(Schema):
    items: list[PostSummary]


class PostCreate(Schema):
    title: str
    body: str
    author_id: UUID


api = NinjaAPI(docs_url=None, openapi_url=None)


@api.get("/users/{uuid:user_id}", response=UserRead)
async def read_user(request: object, user_id: UUID) -> User:
    return await User.objects.aget(id=user_id)


@api.get("/posts", response=Page)
async def list_posts(request: object, limit: int = 20) -> dict[str, list[Post]]:
    newest = Post.objects.filter(published_at__isnull=False).order_by("-published_at", "-id").defer("body")
    return {"items": [post async for post in newest.select_related("author")[:limit]]}


@api.get("/posts/{uuid:post_id}", response=PostRead)
async def read_post(request: object, post_id: UUID) -> Post:
    return await Post.objects.select_related("author").aget(id=post_id)


@api.post("/posts", response={201: PostRead})
async def create_post(request: object, new: PostCreate) -> tuple[int, Post]:
    author = await User.objects.aget(id=new.author_id)
    return 201, await Post.objects.acreate(author=author, title=new.title, body=new.body)


urlpatterns = [path("", api.urls)]
app = get_asgi_application()
