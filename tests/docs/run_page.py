"""Run the steps of a page in the current folder: Python in one namespace, commands in bash.

Called with a JSON file of steps; see `Block.step`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml


def main() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    plan = Path(sys.argv.pop())
    sys.path.insert(0, "")
    for step in json.loads(plan.read_text(encoding="utf-8")):
        place = f"{step['page']}:{step['line']}"
        print(f"--- {place}", flush=True)
        if step["file"]:
            path = Path(step["file"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step["code"], encoding="utf-8")
        if step["language"] == "python" and not step["file"]:
            # Lines of a traceback are those of the page.
            code = "\n" * (step["line"] - 1) + step["code"]
            exec(compile(code, step["page"], "exec"), names)  # noqa: S102 - our own pages
        elif step["language"] == "bash":
            run(step["code"], place, step["exit"])
        elif step["language"] == "console":
            run_console(step["code"], place, step["exit"])
        elif step["language"] == "yaml":
            run_workflow(yaml.safe_load(step["code"]), place)


def run(command: str, place: str, status: int = 0) -> str:
    """Run a command, and return what it writes to stdout."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], stdout=subprocess.PIPE, text=True, check=False
    )
    print(done.stdout, end="", flush=True)
    if done.returncode != status:
        raise SystemExit(f"{place}: status {done.returncode}, not {status}: {command}")
    return done.stdout


def run_console(text: str, place: str, status: int) -> None:
    """Run the lines that start with ``$``, and compare what they print; ``...`` stands for anything."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, expected = part.partition("\n")
        printed = run(command, place, status)
        pattern = ".*?".join(map(re.escape, expected.strip().split("...")))
        if not re.fullmatch(pattern, printed.strip(), flags=re.S):
            raise SystemExit(f"{place}: {command}\nexpected:\n{expected}\ngot:\n{printed}")


def run_workflow(content: Any, place: str) -> None:
    """Run the commands of a workflow of GitHub Actions; other YAML is only parsed."""
    jobs = content.get("jobs", {}) if isinstance(content, dict) else {}
    for job in jobs.values():
        for step in job["steps"]:
            if "run" in step:
                run(step["run"], place)


if __name__ == "__main__":
    main()
