"""A line of the log for each request, and an id that its caller, and every other line of it, has.

Neither path nor query nor body is logged: they may hold a user's text.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING, Final

from flask import g, request

from evervec import logs

if TYPE_CHECKING:
    from flask import Flask, Response

    from evervec.records import Principal

_HEADER: Final = "X-Request-Id"

# What a proxy may have given, and no more: it goes into a header and into the log.
_ID: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")


def register(app: Flask) -> None:
    """Before anything else is registered that looks at a request."""
    app.before_request(_begin)
    app.after_request(_tell)
    app.teardown_request(_end)


def _begin() -> None:
    given = request.headers.get(_HEADER, "")
    g.request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
    g.started = time.perf_counter()
    g.unbind = logs.bind(request=g.request_id)


def _tell(response: Response) -> Response:
    principal: Principal | None = g.get("principal")
    response.headers[_HEADER] = g.request_id
    logs.info(
        "request",
        method=request.method,
        route=None if request.url_rule is None else request.url_rule.rule,
        status=response.status_code,
        token=None if principal is None else principal.name,
        milliseconds=round((time.perf_counter() - g.started) * 1000, 3),
    )
    return response


def _end(_error: BaseException | None) -> None:
    g.unbind()
