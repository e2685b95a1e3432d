"""Writes the parts of the documentation that follow from the code: `make docs`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from atom.settings import settings_table
from docs.measured import SCALING, scaling_page

SETTINGS: Final = Path(__file__).parent / "settings.md"

# The variables of each topic, without their ATOM_; one that ends in _ stands for all that begin so.
_TOPICS: Final = {
    "What is served, and where it is kept": (
        *("SERVICES", "REDIS_URL", "BROKER_URL", "SECRET_KEY"),
        *("SECRET_KEY_FILE", "KEEP_SECRETS"),
    ),
    "Who is listened to": (
        "BIND",
        "PUBLIC_URL",
        "ALLOW_ANONYMOUS",
        "TLS_",
        "LISTENER_PROCESSES",
        "LISTENER_THREADS",
        "REQUEST_HEAD_SECONDS",
        "REQUEST_BODY_SECONDS",
        "IDLE_SECONDS",
    ),
    "Requests": (
        *("MAX_REQUEST_BYTES", "MAX_PENDING", "TENANT_REQUESTS_PER_SECOND", "SYNC_SECONDS"),
        *("MAX_FILE_BYTES", "FILE_"),
    ),
    "Executions": (
        *("LEASE_SECONDS", "MAX_ATTEMPTS", "REPUBLISH_SECONDS", "MAX_STEP_BYTES"),
        *("CANCEL_GRACE_SECONDS", "SHUTDOWN_SECONDS", "RETENTION_DAYS"),
    ),
    "A database for the history": ("HISTORY_",),
    "Progress and callbacks": ("PROGRESS_SECONDS", "CALLBACK_"),
    "Running other flows": ("FLOW_",),
    "Logs and metrics": ("LOG_", "MAX_LOG_LINES", "METRICS_BIND"),
    "Console, Flower and sandbox": (
        *("CONSOLE_BIND", "TRUSTED_PROXIES", "FLOWER_", "SANDBOX_", "LISTENER_URL"),
    ),
}
_HEAD: Final = """\
# Settings

Environment variables, read once at the start of each role. A wrong value is refused with
the name of its variable, and an `ATOM_` variable that is not a setting is reported.
This page is written by `make docs` from `atom/settings.py`.
"""
_FOOT: Final = """
## Beside these

`atom invoke` reads `ATOM_CREDENTIAL` where its option is left out. What only the compose file reads
(ports, passwords, the image) is explained in `.env.example`.
"""


def settings_page() -> str:
    """The settings reference.

    Raises:
        ValueError: a setting is of no topic, or of two.
    """
    return _HEAD + "".join(_topic(each) for each in _TOPICS) + _FOOT


def _topic(name: str) -> str:
    lines = ["", f"## {name}", "", "| Variable | Default | Meaning |", "| --- | --- | --- |"]
    return "\n".join([*lines, *_rows(name)]) + "\n"


def _rows(name: str) -> Iterator[str]:
    for variable, default, meaning in settings_table():
        if _topic_of(variable) == name:
            shown = f"`{default.replace(',', ', ')}`" if default else "–"
            yield f"| `{variable}` | {shown} | {meaning} |"


def _topic_of(variable: str) -> str:
    name = variable.removeprefix("ATOM_")
    topics = [
        topic
        for topic, members in _TOPICS.items()
        if any(name == each or (each[-1] == "_" and name.startswith(each)) for each in members)
    ]
    if len(topics) != 1:
        raise ValueError(f"{variable} is of {topics or 'no topic'}: place it in docs/generate.py")
    return topics[0]


if __name__ == "__main__":
    SETTINGS.write_text(settings_page())
    SCALING.write_text(scaling_page(SCALING.read_text()))
