"""JSON of requests, read as strictly as those will take it who get it: pydantic and PostgreSQL."""

from __future__ import annotations

from typing import Any

from flask.json.provider import DefaultJSONProvider
from pydantic_core import from_json


class StrictJSON(DefaultJSONProvider):
    """Without NaN, half surrogate pairs, or a depth that Python cannot follow: bad bodies, not
    faults.
    """

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """The value of a text. Raises ValueError."""
        del kwargs
        return from_json(s, allow_inf_nan=False)
