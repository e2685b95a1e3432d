"""Asks whether a locked dependency has a known vulnerability: `make audit`.

The advisories are PyPI's, or OSV's where PyPI cannot be asked. What nobody could be asked about
is no clean bill: without `--tolerate-unreachable` that fails as well, with another sentence.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

LOCK: Final = Path(__file__).resolve().parent.parent / "constraints.txt"
TOLERATE: Final = "--tolerate-unreachable"
_SERVICES: Final = ("pypi", "osv")
_SECONDS: Final = 300


def audit(service: str) -> list[dict[str, Any]]:
    """What pip-audit found of each locked package; nothing where the service does not answer."""
    command = [sys.executable, "-m", "pip_audit", f"--requirement={LOCK}", "--no-deps"]
    command += ["--disable-pip", f"--vulnerability-service={service}", "--format=json"]
    try:
        result = subprocess.run(  # noqa: S603 (our own interpreter, no shell)
            command, capture_output=True, text=True, timeout=_SECONDS
        )
        found: list[dict[str, Any]] = json.loads(result.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return []
    return found


def findings(found: Iterable[dict[str, Any]]) -> list[str]:
    """One line for each known vulnerability: the package, the advisory, what mends it."""
    return [
        f"{each['name']} {each['version']}: {known['id']}, mended in "
        f"{', '.join(known['fix_versions']) or 'no version yet'}"
        for each in found
        for known in each.get("vulns", ())
    ]


def unknown(found: Sequence[dict[str, Any]]) -> list[str]:
    """The packages that the service had no word about."""
    return [each["name"] for each in found if "skip_reason" in each]


def verdict(answers: Iterable[list[dict[str, Any]]], *, tolerate: bool) -> tuple[int, str]:
    """The exit code and what to say of the answers of one service after the other."""
    least = None
    for found in answers:
        known = findings(found)
        if known:
            lines = "\n".join(known)
            return 1, f"{lines}\nName newer versions in pyproject.toml, then run: make lock"
        left = unknown(found)
        if found and not left:
            return 0, f"No known vulnerability in {len(found)} locked packages."
        if found and (least is None or len(left) < len(least)):
            least = left
    about = "any package" if least is None else f"{len(least)} packages ({', '.join(least[:3])} …)"
    return 0 if tolerate else 2, (
        f"Not audited: no vulnerability service could be asked about {about}. Run make audit "
        "where pypi.org or api.osv.dev can be reached."
    )


def main() -> None:
    """Ask, say it, and end with 0 (clean), 1 (vulnerable) or 2 (not known)."""
    code, said = verdict(map(audit, _SERVICES), tolerate=TOLERATE in sys.argv[1:])
    print(said)
    sys.exit(code)


if __name__ == "__main__":
    main()
