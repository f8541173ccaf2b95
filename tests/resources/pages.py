"""What is read in a browser: documentation, and the pages that mails link to."""

from tests.support.resources import EVERYBODY, Resource, Route

PATHS = ("/openapi.json", "/docs", "/verify-email", "/set-password")

RESOURCE = Resource(
    routes=(
        *(Route("GET", path, answers={200: EVERYBODY}) for path in PATHS),
        Route("GET", "/", answers={307: EVERYBODY}),
    )
)
