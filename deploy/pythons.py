"""Runs the unit and contract tests on every supported Python of this machine: `make test-pythons`.

The classifiers in pyproject.toml name the supported versions. Each interpreter has an environment
of its own, `.venv-<version>`. The version of the main environment is left to `make test`.
"""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
TESTS: Final = ("tests/unit", "tests/contract")
_CLASSIFIER: Final = "Programming Language :: Python :: 3."


def supported_versions() -> list[str]:
    """Return the supported minor versions, such as `3.12`, oldest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    rows = [row for row in project["classifiers"] if row.startswith(_CLASSIFIER)]
    return [row.rpartition(" ")[2] for row in rows]


def find_interpreter(version: str) -> str | None:
    """Return the path of an interpreter of this version; None if the machine has none.

    It is looked for on PATH, then among the versions of pyenv, newest first.
    """
    candidates = filter(None, [which(f"python{version}"), *_of_pyenv(version)])
    return next((path for path in candidates if _version_of(path) == version), None)


def _of_pyenv(version: str) -> Iterator[str]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    releases = {
        path: path.parent.parent.name.rpartition(".")[2]
        for path in root.glob(f"versions/{version}.*/bin/python{version}")
    }
    numbered = [path for path, patch in releases.items() if patch.isdecimal()]
    for path in sorted(numbered, key=lambda path: int(releases[path]), reverse=True):
        yield str(path)


def _version_of(interpreter: str) -> str | None:
    """Return an interpreter's minor version; None if it does not start.

    On PATH there may be a shim of pyenv for a version that is not selected.
    """
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        result = subprocess.run(  # noqa: S603 (no shell)
            [interpreter, "-c", program], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _run_tests(version: str, interpreter: str) -> bool:
    """Make the environment of this version if need be, and return whether its tests pass."""
    environment = f".venv-{version}"
    make = ["make", "--no-print-directory", f"VENV={environment}"]
    # The pip of the interpreter that runs make installs for all: not every interpreter has its own.
    install = [*make, f"PYTHON={interpreter}", f"{environment}/.installed"]
    pytest = [f"{environment}/bin/python", "-m", "pytest", "-q", "-n", "auto", *TESTS]
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    return all(
        subprocess.run(command, cwd=ROOT, env=variables).returncode == 0  # noqa: S603 (no shell)
        for command in (install, pytest)
    )


def main() -> int:
    """Run the tests and report which versions passed, failed or are missing."""
    own = f"3.{sys.version_info.minor}"
    report, failed = [], False
    for version in supported_versions():
        interpreter = None if version == own else find_interpreter(version)
        if version == own:
            outcome = "covered by make test"
        elif interpreter is None:
            outcome = "not on this machine (neither on PATH nor in pyenv)"
        else:
            print(f"Python {version} ({interpreter}): {' '.join(TESTS)}", flush=True)
            is_passed = _run_tests(version, interpreter)
            outcome = "passed" if is_passed else "failed"
            failed = failed or not is_passed
        report.append(f"Python {version}: {outcome}")
    print(*report, sep="\n", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
