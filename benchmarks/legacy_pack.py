"""Load a 1.0 pack of the original's size: time and resident memory of the first and of every later load.

    python benchmarks/legacy_pack.py [--gigabytes 1.4] [--folder DIR]

Fits one large forest with scikit-learn, stores it under the names of a CPU pack until the pickles have the
wanted size, and loads the folder in fresh processes. Nothing but the size is like the original.
"""

from __future__ import annotations

import argparse
import json
import pickle
import shutil
import tempfile
from pathlib import Path

import numpy as np
from harness import RSS, fresh, publish

#: Forests by name with their number of features; the files are as large as each other.
NAMES = ("relu", "bn", "bnrelu", "hswish", "se", "split", "channelshuffle", "global-avgpool")

RULES = {
    f"BF_{name}": {"obey": True} for name in ("conv_bn", "conv_relu", "add_relu", "bn_relu", "conv_bn_relu")
}

#: Load, answer one model, then fill every forest with rows that all differ.
PROBE = (
    RSS
    + """
import json, sys, time
import numpy as np
from predictor_core.legacy.predictor import LegacyPredictor
row = {"before (MB)": rss_mb()}
start = time.perf_counter()
predictor = LegacyPredictor.from_folder(sys.argv[1])
row["load (s)"] = time.perf_counter() - start
row["loaded (MB)"] = rss_mb()
ir = {}
for i in range(100):
    shapes = [[1, 224 - i, 224 - i, 8 * i + 8]]
    kind = ("Relu", "FusedBatchNorm")[i % 2]
    attr = {"type": kind, "attr": {}, "input_shape": shapes, "output_shape": shapes}
    ir[str(i)] = {"inbounds": [str(i - 1)] if i else [], "attr": attr}
start = time.perf_counter()
predictor.predict(ir, "nnmeter-ir")
row["first model (s)"] = time.perf_counter() - start
row["after it (MB)"] = rss_mb()
rows = np.random.default_rng(0).random((2000, 2)) * [224, 1000]
predictor._pack.forests.predict({name: rows for name in predictor._pack.forests.slots})
row["after 16,000 kernels (MB)"] = rss_mb()
print(json.dumps(row))
"""
)


def build(folder: Path, gigabytes: float) -> int:
    """Write the pack; return the bytes of its pickles."""
    from sklearn.ensemble import RandomForestRegressor

    rng = np.random.default_rng(0)
    rows = rng.random((20_000, 2)) * [224, 1000]
    targets = rows.prod(axis=1) + rng.random(len(rows))
    probe = RandomForestRegressor(n_estimators=2, random_state=0, n_jobs=2).fit(rows, targets)
    tree_bytes = len(pickle.dumps(probe)) / 2
    trees = round(gigabytes * 1e9 / tree_bytes / len(NAMES))
    content = pickle.dumps(
        RandomForestRegressor(n_estimators=trees, random_state=0, n_jobs=2).fit(rows, targets), protocol=4
    )
    for name in NAMES:
        (folder / f"{name}.pkl").write_bytes(content)
    (folder / "fusion_rules.json").write_text(json.dumps(RULES))
    return len(content) * len(NAMES)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=1.4)
    parser.add_argument("--folder", type=Path, help="where to put the pack for the time of the run")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=arguments.folder, prefix="legacy_pack_"))
    try:
        size = build(folder, arguments.gigabytes)
        loads = ("first", "second", "third")
        rows = [{"load of the pack": load, **fresh(PROBE, str(folder))[0]} for load in loads]
        converted = (folder / "converted.forests").stat().st_size
    finally:
        shutil.rmtree(folder)
    publish(
        "legacy_pack",
        f"A 1.0 pack of {size / 1e9:.2f} GB of pickles",
        rows,
        [f"The first load converts it into a file of {converted / 1e6:.0f} MB, which later loads map."],
    )


if __name__ == "__main__":
    main()
