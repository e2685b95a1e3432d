"""ATOM_* variables that no setting reads, such as misspelt ones."""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from atom.settings import settings_table

# Read by an option of `atom invoke`, and by docker-compose.yml (see .env.example).
_OTHERS: Final = frozenset(
    f"ATOM_{name}"
    for name in (
        *("CREDENTIAL", "SERVICES_DIRECTORY", "WORKER_QUEUES", "WORKER_CONCURRENCY"),
        *("PUBLISH_ADDRESS", "LISTENER_PORT", "CONSOLE_PORT", "SANDBOX_PORT", "FLOWER_PORT"),
        *("REDIS_PASSWORD", "REDIS_MEMORY", "RABBITMQ_PASSWORD", "POSTGRES_PASSWORD"),
        *("IMAGE", "IMAGE_EXTRAS", "STOP_GRACE"),
    )
)
# Kubernetes sets these in every container of a namespace, for each Service in it.
_SERVICE_LINK: Final = re.compile(
    r"ATOM_\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)"
)
_SIMILARITY: Final = 0.8


def unknown_variables(names: Iterable[str]) -> Iterator[str]:
    """Yield a warning for each ATOM_* variable that nothing reads.

    Args:
        names: of the variables in the environment.
    """
    known = {variable for variable, _, _ in settings_table()} | _OTHERS
    for name in sorted(names):
        is_ours = name.upper().startswith("ATOM_") and not _SERVICE_LINK.fullmatch(name)
        if is_ours and name not in known:
            yield f"{name} is not a setting of flow-atom and has no effect{_advice(name, known)}"


def _advice(name: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=_SIMILARITY)
    return f"; did you mean {nearest[0]}?" if nearest else " (docs/settings.md)."
