"""Stand-in for nn-Meter's CPU pack: forests of the original's kinds, tree counts and total size.

Runs in nn-Meter's own environment (Python 3.8). The labels are made up, so the milliseconds mean nothing.
"""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
from nn_meter.builder.kernel_predictor_builder.predictor_builder.predictor_lib import init_predictor

#: kernel -> upper bounds of its features, as nn-Meter's feature vectors have them
RANGES = {
    "conv-bn-relu": (224, 1024, 1024, 7, 4, 4000, 10),
    "dwconv-bn-relu": (112, 1024, 1024, 7, 2, 100, 0.1),
    "fc": (4096, 4096, 20, 40),
    "global-avgpool": (1, 2048),
    "hswish": (112, 1024),
    "relu": (224, 1024),
    "se": (112, 1024),
    "split": (56, 512),
    "add": (112, 1024, 1024),
    "addrelu": (112, 2048, 2048),
    "maxpool": (224, 512, 512, 3, 2),
    "avgpool": (224, 512, 512, 7, 2),
    "bn": (224, 1024),
    "bnrelu": (224, 1024),
    "channelshuffle": (56, 512),
    "concat": (112, 4, 1024, 512, 512, 512),
}

#: Pairs and triples that the released CPU rules fuse, as far as the benchmarked models have them.
FUSED = (
    "bn_relu",
    "conv_bn",
    "dwconv_bn",
    "conv_relu",
    "dwconv_relu",
    "add_relu",
    "se_relu",
    "conv_bn_relu",
    "dwconv_bn_relu",
)


def main(folder, samples):
    """Write one pickle per kernel and the fusion rules."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.RandomState(0)
    for kernel, bounds in RANGES.items():
        x = draw.uniform(0, 1, (samples, len(bounds))) * bounds
        y = np.exp(draw.normal(0, 1, samples))
        forest = init_predictor(kernel, "tflite_cpu")
        forest.set_params(oob_score=False, n_jobs=2, max_features=min(forest.max_features, len(bounds)))
        forest.fit(x, y)
        forest.set_params(n_jobs=None)
        with (folder / (kernel + ".pkl")).open("wb") as file:
            pickle.dump(forest, file, protocol=4)
        print(kernel, len(forest.estimators_), flush=True)
    rules = {"BF_" + pair: {"obey": True} for pair in FUSED}
    rules["MON"] = {"obey": 0}
    (folder / "fusion_rules.json").write_text(json.dumps(rules))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
