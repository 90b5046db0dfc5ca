"""The code blocks of Markdown pages, and what is marked about them.

A line ``--8<-- "path"`` stands for the text of that file, as on the site. A mark is an HTML comment right
above the block, which no reader sees: ``<!-- needs: torch, nni<3 -->``.

needs
    Packages without which the block is left out, as requirements.
file
    The block is the content of this file.
exit
    Status that the commands end with, where it is not 0.
in tests
    ``text -> other text; ...``: what is replaced before the block runs, to save time.
not run
    Why the block is not run at all.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]

#: Languages whose blocks run, or are checked; blocks of ``text`` are no code.
LANGUAGES = ("python", "bash", "console", "yaml")
MARKS = ("needs", "file", "exit", "in tests", "not run")

_FENCE = re.compile(r"^( *)```(.*)$")
_INCLUDED = re.compile(r'^--8<-- "(.+)"\n', re.M)
_MARK = re.compile(r"^ *<!-- ([a-z ]+): (.*) -->$")


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is that of its first line of code, from 1."""

    page: str
    line: int
    language: str
    code: str
    marks: Mapping[str, str]

    @property
    def needs(self) -> str:
        """Requirements, "" for none."""
        return self.marks.get("needs", "")

    @property
    def runs(self) -> bool:
        """Whether it is code that is not marked as ``not run``."""
        return self.language in LANGUAGES and "not run" not in self.marks

    @property
    def step(self) -> dict[str, object]:
        """What `run_page` is told."""
        code = _INCLUDED.sub(lambda found: (ROOT / found[1]).read_text(encoding="utf-8"), self.code)
        for pair in filter(None, self.marks.get("in tests", "").split("; ")):
            text, _, other = pair.partition(" -> ")
            assert text in code, f"{self.page}:{self.line}: {text!r} is not in the block"
            code = code.replace(text, other)
        return {
            "page": self.page,
            "line": self.line,
            "language": self.language,
            "code": code,
            "file": self.marks.get("file"),
            "exit": int(self.marks.get("exit", 0)),
        }


def pages() -> list[Path]:
    """Every page that people read: the texts at the root, the site, what stands beside the examples."""
    folders = ("*.md", "docs/**/*.md", "examples/**/*.md")
    return sorted(path for pattern in folders for path in ROOT.glob(pattern))


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    page = path.relative_to(ROOT).as_posix()
    found = []
    marks: dict[str, str] = {}
    lines = path.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        mark, fence = _MARK.match(lines[number]), _FENCE.match(lines[number])
        number += 1
        if mark:
            assert mark[1] in MARKS, f"{page}:{number}: no such mark: {mark[1]}"
            marks[mark[1]] = mark[2]
        elif fence:
            first = number
            while lines[number].strip() != "```":
                number += 1
            code = textwrap.dedent("\n".join(lines[first:number]) + "\n")
            found.append(Block(page, first + 1, fence[2].strip(), code, marks))
            number += 1
            marks = {}
        else:
            assert not marks, f"{page}:{number}: a mark stands right above its block"
    return found


def missing(needs: str) -> list[str]:
    """Return the requirements of a list that this environment does not meet."""
    unmet = []
    for text in filter(None, needs.split(", ")):
        requirement = Requirement(text)
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            unmet.append(text)
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            unmet.append(text)
    return unmet
