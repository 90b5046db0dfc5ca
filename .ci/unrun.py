"""Tests that want a package in every environment: ``python unrun.py REPORT...``.

A report is what ``pytest --junitxml`` writes, one for each environment.
"""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree

#: What says that a package is absent, in the reasons of skipped tests.
ABSENT = re.compile(r"could not import|unable to import|not installed|needs NNI|for NNI")


def unrun(reports: list[str]) -> dict[str, str]:
    """Return the tests that no suite ran, and why not; a file that is skipped as a whole counts as one."""
    ran: set[str] = set()
    skipped: dict[str, str] = {}
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):
            file, name = case.get("classname", ""), case.get("name", "")
            reason = case.find("skipped")
            if reason is None:
                ran.update((file, f"{file}::{name}"))
            elif ABSENT.search(f"{reason.get('message')} {reason.text}"):
                skipped[f"{file}::{name}" if file else name] = reason.text or ""
    return {test: reason for test, reason in skipped.items() if test not in ran}


def main() -> int:
    found = unrun(sys.argv[1:])
    for test, reason in sorted(found.items()):
        print(f"no environment runs {test}: {reason}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
