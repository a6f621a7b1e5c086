"""What did a statement for a single row do?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import MultipleResultsFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


def done(connection: Connection, statement: Any, returning: Sequence[Any]) -> Any:
    """Execute it; the row that it returns, or the number 1 if it returns none; None for no row.

    Raises MultipleResultsFound if there was more than one row.
    """
    if returning:
        return connection.execute(statement.returning(*returning)).one_or_none()
    count = connection.execute(statement).rowcount
    if count > 1:
        raise MultipleResultsFound(f"{count} rows have this key")
    return count or None
