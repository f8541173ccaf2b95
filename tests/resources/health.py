"""What those ask who watch the process."""

from tests.support.resources import EVERYBODY, Resource, Route

RESOURCE = Resource(
    routes=(
        Route("GET", "/health/live", answers={200: EVERYBODY}),
        Route("GET", "/health/ready", answers={200: EVERYBODY}),
        Route("GET", "/metrics", answers={200: EVERYBODY}),  # without OPERATOR_TOKEN, outside of production
    )
)
