"""The result file, for comparing later."""

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson

from atom.cli.embedded_redis import find_redis_server
from benchmarks.parts import Found, Parameters, Ratios

_LIBRARIES: Final = (
    "flow-atom",
    "celery",
    "dramatiq",
    "kombu",
    "redis",
    "flask",
    "gunicorn",
    "marshmallow",
    "orjson",
    "urllib3",
    "requests",
)


def write(path: Path, parameters: Parameters, parts: Mapping[str, Found], busy: Ratios) -> None:
    """Write the result file, with its folder where that is missing.

    `busy` is how many cores other programs kept busy during each part.

    Raises:
        OSError: it cannot be written.
    """
    ratios: dict[str, float | None] = {}
    for found in parts.values():
        ratios |= found.ratios()
    document = {
        "ratios": ratios,
        "parameters": asdict(parameters),
        "machine": machine(),
        "cores_busy_elsewhere": busy,
        **{name: found.figures() for name, found in parts.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def machine() -> dict[str, Any]:
    """Where and with what it was measured."""
    server = subprocess.run(
        [find_redis_server(), "--version"], capture_output=True, text=True, timeout=20, check=False
    )
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "redis_server": server.stdout.strip(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
