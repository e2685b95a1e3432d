"""A query as a SQLAlchemy 2 statement.

SQLAlchemy is an optional extra: this package is imported at the first `query.apply`.
"""

from atom.sql.columns import Columns

__all__ = ["Columns"]
