"""nn-Meter 2.0 and this package on the same graphs, on the same machine, in one run.

nn-Meter runs in a Python 3.8 environment of its own, with a stand-in for its CPU pack. Where there is no
Python 3.8 or nn-Meter can't be installed, the benchmark says so and ends.

The first row is what a search, or a folder of models, gets: different models one after the other in one
process, each predicted once, with whatever a tool keeps from one model to the next: here the latencies of
kernels, in nn-Meter nothing. In the rows of single models nothing is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import RSS, Row, fresh, publish
from workloads import torchvision_models, varied_mobilenets

from predictor_core import model_to_graph, zoo
from predictor_core.frontends.nnmeter_ir import to_document

HERE = Path(__file__).parent
REQUIREMENTS = ("nn-meter==2.0", "scikit-learn==0.24.2", "numpy==1.24.4")
#: Different graphs after which the time is told, too: fewer of their kernels are known from earlier ones.
FEW = 100
#: Training rows per forest that bring the stand-in to the size of the original, 1.4 GB.
SAMPLES = 3500

OURS = (
    RSS
    + """
import json, statistics, sys, time
before, start = rss_mb(), time.perf_counter()
from predictor_core import LatencyPredictor, load_latency_predictor
answer = {"import": [time.perf_counter() - start, rss_mb() - before]}
before, start = rss_mb(), time.perf_counter()
predictor = load_latency_predictor("cortexA76cpu_tflite21")
answer["load"] = [time.perf_counter() - start, rss_mb() - before]
documents = {path: json.load(open(path)) for path in sys.argv[2:]}
predictor.predict(documents[sys.argv[2]], "nnmeter-ir")
for path in sys.argv[2:4]:
    document, times = documents[path], []
    for _ in range(int(sys.argv[1])):
        predictor.clear_memo()
        start = time.perf_counter()
        predictor.predict(document, "nnmeter-ir")
        times.append(time.perf_counter() - start)
    answer[path] = statistics.median(times)
predictor.clear_memo()
elapsed, start = [], time.perf_counter()
for path in sys.argv[4:]:
    predictor.predict(documents[path], "nnmeter-ir")
    elapsed.append(time.perf_counter() - start)
answer["elapsed"] = elapsed
print(json.dumps(answer))
"""
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "versus_nn_meter")
    parser.add_argument("--repeat", type=int, default=5, help="runs of a single model; the median counts")
    parser.add_argument("--graphs", type=int, default=1000, help="different graphs one after the other")
    arguments = parser.parse_args()
    try:
        python = environment(arguments.work)
    except RuntimeError as reason:
        print(f"skipped: {reason}")
        return
    home = pack(arguments.work, python)
    paths = documents(arguments.work, arguments.graphs)
    peer, ours = [], []
    for _ in range(3):
        # In turn, so that both meet the same load of the machine.
        peer.append(run_peer(python, home, arguments.repeat, paths))
        ours += fresh(OURS, str(arguments.repeat), *paths)
    publish(
        "versus_nn_meter",
        "Against nn-Meter 2.0",
        compare(ours, peer, paths),
        [
            "CPU predictor. nn-Meter 2.0 runs under Python 3.8 with scikit-learn 0.24.2 and a stand-in for "
            "its pack: the kinds and tree counts of its own builder, 1.4 GB in all, labels made up.",
            "The different IR dicts are variants of MobileNetV2 with random widths and windows, predicted "
            "once each. Of their kernels 35 % are new in the first 100 and 6 % in all 1,000; in 1,105 models "
            "out of nn-Meter's 13 measured families, in random order, 33 % are.",
        ],
    )


def environment(work: Path) -> str:
    """Return the interpreter of nn-Meter's environment, made where it is missing.

    Raises
    ------
    RuntimeError
        Without Python 3.8, or when the installation fails.
    """
    python = work / "env" / "bin" / "python"
    if not python.exists():
        found = _python38()
        if found is None:
            raise RuntimeError("there is no Python 3.8 on this machine, and nn-Meter 2.0 needs one")
        print("making nn-Meter's environment", file=sys.stderr)
        subprocess.run([found, "-m", "venv", "--clear", str(work / "env")], check=True)
        done = subprocess.run([str(python), "-m", "pip", "install", "-q", *REQUIREMENTS], check=False)
        if done.returncode:
            shutil.rmtree(work / "env")
            raise RuntimeError("nn-Meter 2.0 could not be installed")
    return str(python)


def _python38() -> str | None:
    candidates = [shutil.which("python3.8")]
    candidates += map(str, sorted(Path("~/.pyenv/versions").expanduser().glob("3.8*/bin/python3.8")))
    for candidate in candidates:
        # A version manager's shim may stand on the path and still have no interpreter behind it.
        if candidate and not subprocess.run([candidate, "--version"], capture_output=True).returncode:
            return candidate
    return None


def pack(work: Path, python: str) -> Path:
    """Return the home folder under which nn-Meter finds its pack, made where it is missing."""
    home = work / "home"
    folder = home / ".nn_meter" / "data" / "predictor" / "cortexA76cpu_tflite21"
    if not (folder / "fusion_rules.json").exists():
        print("making the stand-in pack: some minutes", file=sys.stderr)
        command = [python, str(HERE / "peer" / "make_pack.py"), str(folder), str(SAMPLES)]
        subprocess.run(command, check=True, stdout=sys.stderr, env={**os.environ, "HOME": str(home)})
    return home


def documents(work: Path, graphs: int) -> list[str]:
    """Write the IR files: two well-known models, then `graphs` different ones."""
    models = torchvision_models()
    if models is None:
        named = {
            "mobilenetv2": to_document(zoo.build("mobilenetv2")),
            "densenet": to_document(zoo.build("densenet")),
        }
    else:
        named = {
            name: model_to_graph(getattr(models, name)(weights=None).eval(), "torch")
            for name in ("mobilenet_v2", "densenet161")
        }
    named.update({f"graph{i:05}": to_document(graph) for i, graph in enumerate(varied_mobilenets(graphs))})
    folder = work / "ir"
    folder.mkdir(exist_ok=True)
    paths = []
    for name, document in named.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(document))
        paths.append(str(path))
    return paths


def run_peer(python: str, home: Path, repeat: int, paths: list[str]) -> dict[str, Any]:
    """Time nn-Meter in a new process."""
    command = [python, str(HERE / "peer" / "run.py"), str(repeat), *paths]
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**environ, "HOME": str(home)}
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def compare(ours: list[dict[str, Any]], peer: list[dict[str, Any]], paths: list[str]) -> list[Row]:
    """One row a piece of work, the least over the processes: other work on the machine only adds to it."""

    def least(answers: list[dict[str, Any]], key: str, part: int | None = None) -> float:
        return min(answer[key] if part is None else answer[key][part] for answer in answers)

    rows: list[Row] = []

    def add(work: str, unit: str, key: str, part: int | None = None, factor: float = 1.0) -> None:
        mine, theirs = (least(answers, key, part) * factor for answers in (ours, peer))
        rows.append(
            {"work": work, "unit": unit, "ours": mine, "nn-Meter 2.0": theirs, "ratio": theirs / mine}
        )

    for count in sorted({min(FEW, len(paths) - 2), len(paths) - 2}, reverse=True):
        add(f"{count:,} different IR dicts, one after the other", "ms", "elapsed", count - 1, 1000)
    add("import", "ms", "import", 0, 1000)
    add("load the CPU predictor", "ms", "load", 0, 1000)
    add("memory of the CPU predictor", "MB", "load", 1)
    for path in paths[:2]:
        add(f"IR dict of {Path(path).stem}, nothing cached", "ms", path, None, 1000)
    return rows


if __name__ == "__main__":
    main()
