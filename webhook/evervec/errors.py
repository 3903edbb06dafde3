"""The one exception that evervec shows to people: a sentence, its DETAIL and its HINT."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg


class EvervecError(Exception):
    """Something a person can mend; never shown with a traceback.

    message   one sentence without a final full stop needed
    detail    what was found, as DETAIL in psql; None when there is nothing to add
    hint      the next step, as HINT in psql; None when there is none
    sqlstate  five characters when the database raised it (class VE is evervec's own), else None
    """

    def __init__(
        self,
        message: str,
        detail: str | None = None,
        hint: str | None = None,
        sqlstate: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint
        self.sqlstate = sqlstate

    @classmethod
    def from_psycopg(cls, error: psycopg.Error) -> EvervecError:
        """Keep SQLSTATE, DETAIL and HINT of a server error; of a client error keep its text.

        A failed connection has no diagnostics, only libpq's text, often of several lines
        (one an address tried): the lines are joined so that the message stays one sentence.
        """
        diag = error.diag
        if diag.message_primary is None:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            return cls("; ".join(lines) or type(error).__name__, sqlstate=error.sqlstate)
        return cls(
            diag.message_primary,
            detail=diag.message_detail,
            hint=diag.message_hint,
            sqlstate=error.sqlstate,
        )

    def __str__(self) -> str:
        """The message with DETAIL and HINT on lines of their own, as psql prints them."""
        lines = [self.message]
        if self.detail:
            lines.append(f"DETAIL:  {self.detail}")
        if self.hint:
            lines.append(f"HINT:  {self.hint}")
        return "\n".join(lines)
