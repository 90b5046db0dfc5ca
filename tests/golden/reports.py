"""Small reports with every kind of kernel, for tests of what is made of reports."""

from __future__ import annotations

from predictor_core.predictor.report import KernelReport, LatencyReport

CARD = {
    "chip": "Snapdragon 855",
    "kernels": ["conv", "fc"],
    "peak": {"gmacs_per_s": 899, "gbytes_per_s": 34.1, "element_bytes": 2},
    "limits": "clock & temperature differ",
}


def kernel(
    name: str,
    kind: str,
    ms: float,
    scope: str = "",
    *,
    measured: bool = True,
    outside: tuple[str, ...] = (),
    bounded: bool = False,
    details: str = "",
    channels: int = 16,
    nodes: tuple[str, ...] = (),
) -> KernelReport:
    """A kernel that computes 1e6 multiply-accumulates a ms."""
    return KernelReport(
        name,
        kind,
        ms,
        measured,
        outside,
        ((1, 8, 8, 3),),
        (1, 8, 8, channels),
        nodes or (name,),
        scope,
        details,
        bounded,
        1e6 * ms,
        1e5,
    )


def phone() -> LatencyReport:
    """A report with all marks, names that need escapes, and an interval."""
    kernels = [
        kernel("conv1", "conv-bn-relu", 3.0, "stem.0", details="k3x3 s2", nodes=("conv1", "bn1", "relu1")),
        kernel("att", "matmul", 1.0, "body.0.attention", measured=False),
        kernel("<conv2>", "conv-bn", 4.0, "body.1", outside=("cin",), channels=9),
        kernel("pool|1", "maxpool", 0.5, "body.1", bounded=True),
        kernel("head/logits/MatMul", "fc", 0.25),
        kernel("softmax", "softmax", 0.125, measured=False),
    ]
    return LatencyReport(
        "toy.onnx",
        "adreno640gpu_tflite21",
        "2.0",
        kernels,
        overhead_ms=1.125,
        interval_ms=(9.0, 11.5),
        free=("drop",),
        warnings=("mind <this>", "and that"),
        device="Xiaomi Mi 9",
        card=CARD,
    )


def stick() -> LatencyReport:
    """The same model on a device that cuts it otherwise and has neither card nor interval."""
    kernels = [
        kernel("conv1", "conv-bn", 6.0, "stem.0", details="k3x3 s2"),
        kernel("relu1", "relu", 0.5, "stem.2"),
        kernel("att", "matmul", 2.0, "body.0.attention"),
        kernel("<conv2>", "conv-bn", 8.0, "body.1", channels=9),
        kernel("head/logits/MatMul", "fc", 0.25),
    ]
    return LatencyReport("toy.onnx", "myriadvpu_openvino2019r2", "2.0", kernels)


def wider() -> LatencyReport:
    """`phone`'s model with a wider second convolution and one kernel more."""
    old = phone()
    kernels = [
        *old.kernels[:2],
        kernel("<conv2>", "conv-bn", 6.0, "body.1", outside=("cin",), channels=18),
        *old.kernels[3:],
        kernel("extra", "add", 0.5, "body.2"),
    ]
    return LatencyReport(
        "wider.onnx", old.predictor, old.version, kernels, overhead_ms=1.125, interval_ms=(11.0, 14.0)
    )
