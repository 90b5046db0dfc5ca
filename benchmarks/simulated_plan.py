"""Planned against random models of the zoo, with an embedded predictor in the place of the device.

The device is learned from the Cortex-A76 predictor, as far from a GPU and a VPU as a source can be; what it
says is multiplied by noise of 2 %. Held out are architectures of torchvision that a plan does not offer.

    python benchmarks/simulated_plan.py

Needs torch and torchvision. Takes a few minutes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from harness import publish

from predictor_core import load_latency_predictor
from predictor_core.frontends.torch.torchvision import load
from predictor_core.learning.adapt import Prior, pose
from predictor_core.learning.corpus import cut_of, kernel_counts
from predictor_core.measuring.planning import pool
from predictor_core.measuring.planning.order import plan_order, sensitivities
from predictor_core.measuring.planning.plan import LONGEST_MS, OVERHEAD_S, RUNS, SOURCE
from predictor_core.predictor.batch import numbered

DEVICES = ("adreno640gpu_tflite21", "myriadvpu_openvino2019r2")
COUNTS = (20, 27, 40, 67, 100)
DRAWS, NOISE = 3, 0.02
HELD_OUT = (
    "densenet169",
    "densenet201",
    "efficientnet_b1",
    "efficientnet_b3",
    "efficientnet_b4",
    "mnasnet0_75",
    "mnasnet1_0",
    "regnet_x_3_2gf",
    "regnet_x_800mf",
    "regnet_x_8gf",
    "regnet_y_3_2gf",
    "regnet_y_800mf",
    "regnet_y_8gf",
    "resnet34",
    "resnet101",
    "resnet152",
    "resnext101_32x8d",
    "shufflenet_v2_x1_5",
    "vgg13",
    "vgg16",
    "wide_resnet50_2",
    "convnext_small",
    "alexnet",
)


def main() -> None:
    source = load_latency_predictor(SOURCE)
    real = [*pool.real_architectures(), *pool.published()]
    graphs = [*pool.variants(), *real, *map(load, HELD_OUT)]
    kernels = [kernel_counts(graph, source.rules) for graph in graphs]
    problem = pose(Prior.of(source), cut_of(kernels))
    rows = sensitivities(problem)
    source_ms = source.predict_kernels(*numbered(parts.elements() for parts in kernels))
    cost_s = OVERHEAD_S + 1e-3 * RUNS * source_ms
    ends = np.cumsum([len(graphs) - len(real) - len(HELD_OUT), len(real), len(HELD_OUT)])
    place = np.arange(len(graphs))
    offered = place[(place < ends[1]) & (source_ms <= LONGEST_MS)]
    zoo, targets, held_out = offered[offered < ends[0]], place[ends[0] : ends[1]], place[ends[1] :]
    plan = offered[list(plan_order(rows[offered], rows[targets], cost_s[offered], max(COUNTS)).chosen)]
    table: list[dict[str, Any]] = []
    for device in DEVICES:
        noise = np.exp(NOISE * np.random.default_rng(0).standard_normal(len(graphs)))
        truth_ms = load_latency_predictor(device).predict_graphs(graphs)

        def errors(models: Any, truth_ms: Any = truth_ms, noise: Any = noise) -> Any:
            found = problem.fit(truth_ms * noise, np.asarray(models)).mean
            return np.abs(problem.predict(found, held_out) / truth_ms[held_out] - 1.0)

        for count in COUNTS:
            draws = [np.random.default_rng(i).choice(zoo, count, replace=False) for i in range(DRAWS)]
            for way, choices in (("planned", [plan[:count]]), ("random of the zoo", draws)):
                found = np.concatenate([errors(models) for models in choices])
                table.append(
                    {
                        "device": device,
                        "models": count,
                        "chosen": way,
                        "within ±10 % (%)": round(100.0 * float((found <= 0.1).mean()), 1),
                        "MAPE (%)": round(100.0 * float(found.mean()), 1),
                        "time (s)": round(float(np.mean([cost_s[models].sum() for models in choices]))),
                    }
                )
                print(table[-1], flush=True)
    notes = [
        f"Held out: {len(HELD_OUT)} architectures of torchvision. random: mean of {DRAWS} draws. Time: to "
        f"measure the choice, by the latencies of {SOURCE}, with {RUNS} runs and {OVERHEAD_S:.0f} s besides "
        "for each model."
    ]
    publish("simulated_plan", "Planned against random models of the zoo", table, notes)


if __name__ == "__main__":
    main()
