"""Writes the parts of the documentation that follow from the code: `make docs`."""

from pathlib import Path

from atom.settings import settings_table

SETTINGS = Path(__file__).parent / "settings.md"


def settings_page() -> str:
    """The settings reference."""
    lines = [
        "# Settings",
        "",
        "Environment variables, read once at the start of each role. A wrong value is refused with",
        "the name of its variable. This page is written by `make docs` from `atom/settings.py`.",
        "",
        "| Variable | Default | Meaning |",
        "| --- | --- | --- |",
    ]
    for variable, default, meaning in settings_table():
        shown = f"`{default.replace(',', ', ')}`" if default else "–"
        lines.append(f"| `{variable}` | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    SETTINGS.write_text(settings_page())
