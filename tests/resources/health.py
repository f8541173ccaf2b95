"""Whether the process answers, and whether it should get requests."""

from tests.support.resources import EVERYBODY, Resource, Route

RESOURCE = Resource(
    routes=(
        Route("GET", "/health/live", answers={200: EVERYBODY}),
        Route("GET", "/health/ready", answers={200: EVERYBODY}),
    )
)
