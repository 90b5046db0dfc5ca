"""Models of torchvision, timm, pytorchcv and transformers: predicted everywhere, with the right arithmetic.

Every model is read as a user has it, predicted on all predictors, and its multiply-accumulates are compared
with those that torch counts. Models that differ by more than 1 %, or fail, are listed with the reason.

    python -m benchmarks.real_models --output real_models.csv
"""

from __future__ import annotations

import argparse
import csv
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from benchmarks.macs import counted_macs, graph_macs

#: Largest accepted difference of the two counts.
TOLERANCE = 0.01

LIBRARIES = ("torchvision", "timm", "pytorchcv", "transformers")

#: Classes of transformers: their configuration, and what they take beside ids or an image.
TRANSFORMERS = (
    *("Bert", "Roberta", "DistilBert", "Albert", "DebertaV2", "Electra", "GPT2", "GPTNeoX", "OPT", "Bloom"),
    *("Llama", "Mistral", "Qwen2", "ViT", "ConvNext", "Swin"),
)
_IMAGE_MODELS = ("ViT", "ConvNext", "Swin")

PYTORCHCV = (
    *(
        "igcv3_wd4",
        "ibn_resnet50",
        "senet16",
        "darknet53",
        "dpn68",
        "hrnet_w18_small_v1",
        "peleenet",
        "sepreresnet18",
    ),
    *("fishnet99", "diracnet18v2", "shufflenet_g1_w1", "menet108_8x1_g3"),
)


class Model(NamedTuple):
    """A model to try: where it comes from, its name, how to build it with its inputs."""

    library: str
    name: str
    build: Callable[[], tuple[Any, dict[str, Any]]]


class Row(NamedTuple):
    """What became of a model; counts in multiply-accumulates, latencies in ms."""

    library: str
    name: str
    macs: float
    counted: float
    latencies_ms: tuple[float, ...]
    error: str

    @property
    def agrees(self) -> bool:
        """Whether both counts are there and alike."""
        return not self.error and abs(self.macs - self.counted) <= TOLERANCE * self.counted


def models(libraries: Sequence[str], limit: int | None) -> Iterator[Model]:
    """Yield models of some libraries, `limit` from each."""
    from tests.torchvision_shim import import_torchvision

    torchvision = import_torchvision()

    def classifiers() -> list[str]:
        return list(torchvision.models.list_models(module=torchvision.models))

    known: dict[str, tuple[Callable[[], Sequence[str]], Callable[[str], Any]]] = {
        "torchvision": (classifiers, partial(_torchvision, torchvision)),
        "timm": (_timm_names, _timm),
        "pytorchcv": (lambda: PYTORCHCV, _pytorchcv),
        "transformers": (lambda: TRANSFORMERS, _transformers),
    }
    for library in libraries:
        names, build = known[library]
        for name in names()[:limit]:
            yield Model(library, name, partial(build, name))


def _timm_names(wanted: int = 100) -> list[str]:
    """Return models of as many architectures of timm as there are: the first of each, then the second..."""
    import timm

    by_module = [timm.list_models(module=module) for module in timm.list_modules()]
    found = [names[rank] for rank in range(20) for names in by_module if rank < len(names)]
    return list(dict.fromkeys(found))[:wanted]


def _without_weights(make: Callable[[], Any]) -> Any:
    """Build a model on the meta device, or with weights where its constructor computes with them."""
    import torch

    try:
        with torch.device("meta"):
            return make().eval().requires_grad_(False)
    except Exception:  # noqa: BLE001 - whatever the constructor does with values that are not there
        return make().eval().requires_grad_(False).to("meta")


def _image(*shape: int) -> Any:
    import torch

    return torch.empty(1, *shape, device="meta")


def _torchvision(torchvision: Any, name: str) -> tuple[Any, dict[str, Any]]:
    # These two make their auxiliary classifiers' weights slowly.
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    size = {"inception_v3": 299, "vit_h_14": 224}.get(name, 224)
    model = _without_weights(lambda: torchvision.models.get_model(name, weights=None, **options))
    return model, {"x": _image(3, size, size)}


def _timm(name: str) -> tuple[Any, dict[str, Any]]:
    import timm

    model = _without_weights(lambda: timm.create_model(name, pretrained=False))
    return model, {"x": _image(*model.default_cfg["input_size"])}


def _pytorchcv(name: str) -> tuple[Any, dict[str, Any]]:
    from pytorchcv.model_provider import get_model

    return _without_weights(lambda: get_model(name, pretrained=False)), {"x": _image(3, 224, 224)}


def _transformers(name: str) -> tuple[Any, dict[str, Any]]:
    import torch
    import transformers

    config_class = getattr(transformers, f"{name}Config")
    if name in _IMAGE_MODELS:
        return getattr(transformers, f"{name}Model")(config_class()).eval(), {
            "pixel_values": torch.zeros(1, 3, 224, 224)
        }
    config = config_class(vocab_size=1000)
    for field in ("num_hidden_layers", "n_layer", "n_layers"):
        if hasattr(config, field):
            setattr(config, field, 2)
    model = getattr(transformers, f"{name}Model")(config).eval()
    options = {"use_cache": False} if hasattr(config, "use_cache") else {}
    return model, {"input_ids": torch.ones(1, 64, dtype=torch.long), **options}


def tried(model: Model, predictors: list[Any]) -> Row:
    """Read, predict and count one model."""
    from predictor_core.predictor import to_graph

    try:
        module, inputs = model.build()
    except Exception as error:  # noqa: BLE001 - the library's own failure is the answer
        return Row(model.library, model.name, 0.0, 0.0, (), f"not built: {_line(error)}")
    example: Any = tuple(inputs.values()) if model.library != "transformers" else inputs
    try:
        graph = to_graph(module, "torch", example_inputs=example)
        latencies_ms = tuple(float(one.predict_graphs([graph])[0]) for one in predictors)
    except Exception as error:  # noqa: BLE001
        return Row(model.library, model.name, 0.0, 0.0, (), f"not predicted: {_line(error)}")
    macs = graph_macs(graph)
    try:
        counted = (
            counted_macs(module, *example) if isinstance(example, tuple) else counted_macs(module, **inputs)
        )
    except Exception as error:  # noqa: BLE001
        return Row(model.library, model.name, macs, 0.0, latencies_ms, f"not counted: {_line(error)}")
    return Row(model.library, model.name, macs, counted, latencies_ms, "")


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"


def main(argv: list[str] | None = None) -> int:
    """Try all models; the exit status is 1 where one fails or differs."""
    from predictor_core import list_latency_predictors, load_latency_predictor

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", help="CSV file with a row a model")
    parser.add_argument("--library", nargs="+", choices=LIBRARIES, default=LIBRARIES)
    parser.add_argument("--limit", type=int, help="models of each library")
    arguments = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    names = dict.fromkeys(str(entry["name"]) for entry in list_latency_predictors())
    predictors = [load_latency_predictor(name) for name in names]
    rows = []
    for model in models(arguments.library, arguments.limit):
        row = tried(model, predictors)
        rows.append(row)
        verdict = "agrees" if row.agrees else "DIFFERS" if not row.error else row.error
        print(
            f"{row.library} {row.name}: {row.macs / 1e6:.1f} M, counted {row.counted / 1e6:.1f} M, {verdict}",
            flush=True,
        )
    if arguments.output:
        with open(arguments.output, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["library", "model", "macs", "counted_macs", *names, "error"])
            for row in rows:
                writer.writerow([row.library, row.name, row.macs, row.counted, *row.latencies_ms, row.error])
    for library in dict.fromkeys(row.library for row in rows):
        mine = [row for row in rows if row.library == library]
        print(f"{library}: {sum(row.agrees for row in mine)} of {len(mine)} agree within {TOLERANCE:.0%}")
    return 0 if all(row.agrees for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
