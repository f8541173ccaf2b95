"""What one function takes from the path, the query, the headers and the cookies."""

from typing import Any

from fastapi import Request

from flatroute import framework


class Parameters:
    """The parameters of one dependency or endpoint, read and validated as FastAPI does it."""

    def __init__(self, dependant: framework.Dependant) -> None:
        sources = {
            "path_params": dependant.path_params,
            "query_params": dependant.query_params,
            "headers": dependant.header_params,
            "cookies": dependant.cookie_params,
        }
        self._plain = []
        self._others = []
        for source, fields in sources.items():
            keys = [framework.single_key(field) for field in fields]
            if None in keys:
                self._others.append((source, fields))
            else:
                self._plain += [(source, key, field) for key, field in zip(keys, fields, strict=True)]

    def read(self, request: Request) -> dict[str, Any] | None:
        """The values by their arguments' names; None when one of them isn't valid."""
        values = {}
        for source, key, field in self._plain:
            values[field.name], valid = framework.validated(field, getattr(request, source).get(key))
            if not valid:
                return None
        for source, fields in self._others:
            found, errors = framework.request_params_to_args(fields, getattr(request, source))
            if errors:
                return None
            values |= found
        return values
