"""Runs the Python blocks of one page, in their order and in one namespace: a process of its own.

Called as `python -W error -m tests.docs.run_page PAGE` in the folder of `running.make_site`.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from tests.docs.pages import PAGES


def run(name: str) -> None:
    """Import the files that the page gives; run what else it shows.

    A traceback names the page and the line.
    """
    sys.path.insert(0, str(Path.cwd()))
    page = sys.modules["page"] = ModuleType("page")  # so that its functions are found by name
    for block in PAGES[name].blocks:
        if block.language != "python":
            continue
        if block.file_name and not block.file_name.startswith("test_"):
            importlib.import_module(block.file_name.removesuffix(".py"))
        elif not block.file_name:
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, name, "exec"), page.__dict__)


if __name__ == "__main__":
    run(sys.argv[1])
