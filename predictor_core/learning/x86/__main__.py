"""``python -m predictor_core.learning.x86 FOLDER``: predictors of an x86 processor from its measurements."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from predictor_core.catalog.embedded import X86 as OUTPUT
from predictor_core.errors import LearningError, exit_status
from predictor_core.learning.x86.environments import ENVIRONMENTS, SOURCE, Environment, Measured
from predictor_core.predictor.header import DeviceHeader


def main(arguments: Sequence[str] | None = None) -> int:
    """Learn, write and print the accuracy; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m predictor_core.learning.x86", description=__doc__)
    parser.add_argument("data", type=Path, help="folder of benchmarks/own_machine.py, with models and rows")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of the headers and their list")
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    options = parser.parse_args(arguments)
    return exit_status(lambda: make(options.data, options.output, options.seed))


def make(data: Path, output: Path, seed: int = 0) -> None:
    """Learn all environments and write them; equal seeds give equal files.

    Parameters
    ----------
    data : Path
        The measurements and models.
    output : Path
        Gets the headers, their list and a card.
    seed : int
        Of the folds.

    Raises
    ------
    PredictorError
        An environment was not measured, a model can't be read, or a package is missing.
    """
    from predictor_core.learning.shipping import ship
    from predictor_core.learning.x86.joint import learn
    from predictor_core.predictor import to_graph

    measured = Measured(data, lambda path: to_graph(path, "onnx"))
    for one in ENVIRONMENTS:
        if not measured.latencies(one):
            raise LearningError(
                f"{data} has no measurements of {one.runtime} with {one.threads} threads; "
                "run benchmarks/own_machine.py measure"
            )
    headers = learn(measured, seed=seed)
    ship(output, [(header, one.entry()) for one, header in headers.items()], model_card(headers))
    sys.stdout.write(accuracy_table(headers) + "\n")


def accuracy_table(headers: Mapping[Environment, DeviceHeader]) -> str:
    """Cross-validated accuracy of each environment, as Markdown."""
    lines = [
        "| name | runtime | threads | models | within ±10 % | MAPE | rank correlation | in the 90 % interval "
        "| families left out: within ±10 % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one, header in headers.items():
        table, left_out = header.accuracy["cross_validated"], header.accuracy["families_left_out"]
        lines.append(
            f"| {header.name} | {one.entry()['runtime']} | {one.threads} | {table['models']} | "
            f"{table['within_10']} % | {table['mape']} % | {table['spearman']:.4f} | {table['covered']} % | "
            f"{left_out['within_10']} % |"
        )
    return "\n".join(lines)


def model_card(headers: Mapping[Environment, DeviceHeader]) -> str:
    """Text of the card of all environments, Markdown."""
    return f"""# x86

{len(headers)} environments of one virtual machine with two cores of an AMD EPYC, third generation (Zen 3:
AVX2 and no AVX-512, 32 KiB first-level and 512 KiB second-level cache): ONNX Runtime, LiteRT with XNNPACK
and OpenVINO, one thread and two, fp32, batch 1. `nn-meter devices NAME` prints the card of one.

Learned by `python -m predictor_core.learning.x86` from the whole-model latencies of
`benchmarks/own_machine.py measure`: networks of the zoo, pytorchcv and torchvision with random weights, of
each the fastest of its passes. The kernel latencies of `{SOURCE}`, each times a factor that the environments
determine together. With two threads only the 40 planned networks were timed, which are chosen to differ, and
on a shared host single timings were up to 1.4 times apart: those predictors are rough.

The 40 held-out networks of `benchmarks/own_machine.py`, and networks with the kernels of one of them, are in
none of the fits.

The rows are kept in `benchmarks/own_machine` of the repository. With pytorchcv 0.0.74, torch 2.13 and
torchvision 0.28, which built the models, these files are made again, byte for byte, by

```bash
python benchmarks/own_machine.py prepare --folder FOLDER
cp benchmarks/own_machine/*.csv FOLDER
python -m predictor_core.learning.x86 FOLDER
```

## Accuracy on models left out of the fit (10 folds)

{accuracy_table(headers)}

Families left out: no model of the family is in the fit. Other x86 processors differ in clock, vector width
and caches: expect the ranking of models to carry over, not the milliseconds. `nn-meter learn` takes these
environments together as one of the populations that your own machine may belong to.
"""


if __name__ == "__main__":
    sys.exit(main())
