"""What became of a route."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SurveyedRoute:
    methods: tuple[str, ...]
    path: str
    obstacle: str | None
    """Why FastAPI's own way answers; None for a compiled route."""
