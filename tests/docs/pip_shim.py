"""Stand in for pip on the pages: nothing is installed, but the extras that are named have to exist."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.split("[project.optional-dependencies]")[1].split("\n[")[0]
    extras = set(re.findall(r"^(\w+) = \[", section, flags=re.M))
    for word in sys.argv[1:]:
        asked = re.fullmatch(r"(?:\.|nnmeter-nni)\[([\w,]+)\]", word)
        unknown = set(asked[1].split(",")) - extras if asked else set()
        if unknown:
            raise SystemExit(f"pip {word}: no such extra: {', '.join(sorted(unknown))}")


if __name__ == "__main__":
    main()
