"""The contract: FastAPI's OpenAPI document, with what all routes share."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from app.api.errors import documented
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
        return super().openapi()
