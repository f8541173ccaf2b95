"""Cutting rows into a page."""

from collections.abc import Callable, Sequence
from datetime import datetime

from app.schemas.base import Entity
from app.schemas.pages import Page, Position


def page_of[Item: Entity](items: Sequence[Item], limit: int, *, at: Callable[[Item], datetime]) -> Page[Item]:
    """A page of at most `limit` of the items; one item more than that says that there is a next page."""
    kept = list(items[:limit])
    next_cursor = Position(at(kept[-1]), kept[-1].id).encode() if len(items) > limit else None
    return Page(items=kept, next_cursor=next_cursor)
