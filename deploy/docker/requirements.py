"""Prints what flow-atom and the extras named on the command line depend on, for the image."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
print(*project["dependencies"], *(each for name in sys.argv[1:] for each in extras[name]), sep="\n")
