"""The contract: FastAPI's OpenAPI document, with what all routes share."""

from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from pydantic.json_schema import models_json_schema

from app.api.errors import documented
from app.api.identity import get_current_user
from app.schemas.problems import Problem

REF = "#/components/schemas/{model}"


class DocumentedAPI(FastAPI):
    """FastAPI would describe a model of an error as `application/json`; ours are `application/problem+json`."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            _, problem = models_json_schema([(Problem, "serialization")], ref_template=REF)
            document.setdefault("components", {}).setdefault("schemas", {}).update(problem["$defs"])
            for operation in (each for path in document["paths"].values() for each in path.values()):
                if "requestBody" in operation:
                    operation["responses"]["400"] = documented(400, "bad_request")
                    operation["responses"]["413"] = documented(413, "content_too_large")
                    if "application/json" in operation["requestBody"]["content"]:
                        operation["responses"]["415"] = documented(415, "unsupported_media_type")
            self._admit_anybody(document["paths"])
        return super().openapi()

    def _admit_anybody(self, paths: dict[str, Any]) -> None:
        """FastAPI documents a credential that a route looks at as one that it insists on."""
        for route in iter_route_contexts(self.routes):
            for method in route.methods or ():
                operation = paths.get(route.path or "", {}).get(method.lower(), {})
                if "security" in operation and not _depends_on(get_current_user, route.dependant):
                    operation["security"].append({})


def _depends_on(call: Any, dependant: Dependant) -> bool:
    return dependant.call is call or any(_depends_on(call, each) for each in dependant.dependencies)
