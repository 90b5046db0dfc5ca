"""``python -m predictor_core.learning.phones DATA``: the predictors of all phones from their measurements."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from predictor_core.catalog.embedded import PHONES as OUTPUT
from predictor_core.errors import exit_status, requires
from predictor_core.learning.phones.environments import Environment, read_environments


def main(arguments: Sequence[str] | None = None) -> int:
    """Learn, write and print the accuracy; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m predictor_core.learning.phones", description=__doc__)
    parser.add_argument(
        "data", type=Path, help="folder with tflite_cnn.csv, tflite_vit.csv, torch_cnn.csv..."
    )
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of the headers and their list")
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    parser.add_argument("--jobs", type=int, default=2, help="groups at once, one core each")
    options = parser.parse_args(arguments)
    return exit_status(lambda: make(options.data, options.output, options.seed, options.jobs))


def make(data: Path, output: Path, seed: int = 0, jobs: int = 2) -> None:
    """Learn all environments and write them.

    Parameters
    ----------
    data : Path
        The measurements.
    output : Path
        Gets the headers, their list, a card and the sizes of the transformers.
    seed : int
        Of the folds. Equal seeds give equal files, whatever `jobs` is.
    jobs : int
        Processes.

    Raises
    ------
    PredictorError
        The measurements can't be read, or a package is missing.
    """
    with requires("joblib", "phones", "learning the phones"):
        from joblib import Parallel, delayed

    from predictor_core.catalog.loading import load_shared
    from predictor_core.learning.corpus import Corpus
    from predictor_core.learning.phones.joint import SOURCE_VERSION, SOURCES, Learned, learn_group
    from predictor_core.learning.phones.models import build_graphs, check_sizes
    from predictor_core.learning.phones.summary import accuracy_table, model_card

    measured = read_environments(data)
    built = build_graphs(sorted({model for latencies in measured.values() for model in latencies}))
    rules = load_shared(SOURCES[False], SOURCE_VERSION).rules
    differ = check_sizes(built, rules, output / "transformers.csv")
    corpus = Corpus({name: model.graph for name, model in built.items()})
    groups: dict[str, dict[Environment, Mapping[str, float]]] = {}
    for environment, latencies in sorted(measured.items(), key=lambda item: item[0].name):
        groups.setdefault(environment.group, {})[environment] = latencies
    found: list[list[Learned]] = Parallel(n_jobs=jobs)(
        delayed(learn_group)(corpus, group, seed) for _, group in sorted(groups.items())
    )
    learned = sorted((one for group in found for one in group), key=lambda one: one.environment.name)
    write(output, learned, model_card(learned, differ))
    sys.stdout.write(accuracy_table(learned) + "\n")


def write(output: Path, learned: Sequence[Any], card: str) -> None:
    """Write the headers of the environments that deserve it, their list and the card."""
    from predictor_core.learning.crossvalidation import USELESS
    from predictor_core.learning.shipping import ship

    shipped = [one for one in learned if one.header.accuracy["cross_validated"]["within_10"] >= USELESS]
    ship(output, [(one.header, one.environment.entry()) for one in shipped], card)


if __name__ == "__main__":
    sys.exit(main())
