"""The settings of the history database."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from environs import Env

from atom.errors import SettingsError
from atom.setting import setting
from atom.urls import no_url

_SCHEMES: Final = ("postgresql", "sqlite")


@dataclass(frozen=True, kw_only=True)
class HistorySettings:
    """Where executions go that have ended, and when."""

    history_url: str = setting(
        "ATOM_HISTORY_URL",
        Env.str,
        "",
        "The database that finished executions are moved to, such as "
        "postgresql://user:password@host/database or sqlite:////var/lib/atom/history.db (needs the "
        "extra `history`); where it is empty they stay in Redis. The same for recovery, console "
        "and CLI.",
    )
    history_after_hours: float = setting(
        "ATOM_HISTORY_AFTER_HOURS",
        Env.float,
        24.0,
        "How long an execution has finished before it is moved there; at most what "
        "`ATOM_RETENTION_DAYS` says.",
    )
    history_retention_days: float = setting(
        "ATOM_HISTORY_RETENTION_DAYS",
        Env.float,
        365.0,
        "How long finished executions are kept there; 0: for ever.",
    )

    def check_history(self) -> None:
        """Refuse a URL of something else, and one in which a password would be shown.

        Raises:
            SettingsError: naming the variable.
        """
        if not self.history_url:
            return
        try:
            url = _split(self.history_url)
        except ValueError:  # whose text may hold a part of a password
            raise no_url("ATOM_HISTORY_URL") from None
        is_elsewhere = url.scheme == "sqlite" and url.netloc  # it takes a slash more than others
        if url.scheme not in _SCHEMES or is_elsewhere or len(url.path) < len("/x"):
            raise SettingsError(
                f"ATOM_HISTORY_URL must be the URL of a database in {' or '.join(_SCHEMES)}, such "
                "as postgresql://user:password@host/database or sqlite:////var/lib/atom/history.db."
            )


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    _ = parts.port  # raises where it is none
    if parts.scheme != "sqlite" and "@" in parts.path:
        raise ValueError
    return parts
