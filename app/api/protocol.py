"""What the server answers by itself, when it can't read a request and no application sees it."""

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.api.errors import http_problem
from app.api.middleware import SECURITY_HEADERS
from app.core.context import new_request_id, request_context

access_log = structlog.get_logger("app.access")


class ProblemProtocol(HttpToolsProtocol):
    """uvicorn's own protocol, whose text/plain becomes a problem."""

    def send_400_response(self, msg: str) -> None:
        request_id = new_request_id()
        headers = dict(SECURITY_HEADERS) | {"X-Request-ID": request_id, "Connection": "close"}
        with request_context(request_id):
            response = http_problem(400, headers=headers)
            access_log.info("request_unreadable", status=400)
        sent = [*self.server_state.default_headers, *response.raw_headers]
        head = b"".join(b"%b: %b\r\n" % header for header in sent)
        self.transport.write(STATUS_LINE[400] + head + b"\r\n" + bytes(response.body))
        self.transport.close()
