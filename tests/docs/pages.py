"""The pages of the documentation, taken apart into prose and blocks of code."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
_FENCE = re.compile(r"( *)```([\w.-]*)\s*")
_FILE_NAME = re.compile(r"# (\w+\.py)\n")


@dataclass(frozen=True)
class Block:
    """A block of code: its language ("" where none is named), and where it begins."""

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file_name(self) -> str | None:
        """The name of the file that a Python block is, where its first line says so."""
        found = _FILE_NAME.match(self.text)
        return found[1] if self.language == "python" and found else None


@dataclass(frozen=True)
class Page:
    """README.md, CHANGELOG.md or a page under docs/; `text` is all of it."""

    name: str
    text: str

    @cached_property
    def blocks(self) -> list[Block]:
        """Every fenced block, and every indented one, which is a block of commands."""
        return [block for block, _ in self._parts if block is not None]

    @cached_property
    def prose(self) -> str:
        """The page without its blocks; the line numbers stay."""
        return "".join(line for _, line in self._parts)

    @cached_property
    def headings(self) -> list[str]:
        return re.findall(r"^#+ +(.+?) *$", self.prose, re.MULTILINE)

    @cached_property
    def anchors(self) -> set[str]:
        """Of its headings, as GitHub makes them."""
        found: set[str] = set()
        for heading in self.headings:
            base = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            anchor, number = base, 0
            while anchor in found:
                number += 1
                anchor = f"{base}-{number}"
            found.add(anchor)
        return found

    @cached_property
    def inline_code(self) -> list[str]:
        return [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", self.prose)]

    @cached_property
    def _parts(self) -> list[tuple[Block | None, str]]:
        """Each block, or a line of prose; a block leaves empty lines behind."""
        lines = self.text.splitlines(keepends=True)
        parts: list[tuple[Block | None, str]] = []
        at = 0
        while at < len(lines):
            fence = _FENCE.fullmatch(lines[at])
            if fence:
                end = at + 1
                while end < len(lines) and lines[end].strip() != "```":
                    end += 1
                assert end < len(lines), f"{self.name}:{at + 1}: this block does not end"
                content, language, stop = lines[at + 1 : end], fence[2], end + 1
                indent = len(fence[1])
                first = at + 2
            elif lines[at].startswith("    ") and (at == 0 or not lines[at - 1].strip()):
                end = at
                while end < len(lines) and (lines[end].startswith("    ") or lines[end] == "\n"):
                    end += 1
                while lines[end - 1] == "\n":
                    end -= 1
                content, language, stop, indent, first = lines[at:end], "sh", end, 4, at + 1
            else:
                parts.append((None, lines[at]))
                at += 1
                continue
            text = "".join(line[indent:] if line.strip() else "\n" for line in content)
            parts.append((Block(self.name, first, language, text), "\n" * (stop - at)))
            at = stop
        return parts


PAGES = {
    name: Page(name, (ROOT / name).read_text(encoding="utf-8"))
    for name in [
        "README.md",
        "CHANGELOG.md",
        *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
    ]
}
BLOCKS = [block for page in PAGES.values() for block in page.blocks]


def files_of_the_pages() -> dict[str, str]:
    """The Python files that the pages give, by name; a reader keeps all of them in one folder."""
    files: dict[str, str] = {}
    for block in BLOCKS:
        if block.file_name:
            known = files.setdefault(block.file_name, block.text)
            assert known == block.text, f"{block.where}: another page gives {block.file_name} too"
    return files
