"""Write the example model: torchvision's MobileNet v2 as the TorchScript exporter writes it.

The weights are zeros, which compress to nothing in the repository: a latency does not depend on them.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torchvision


def main() -> None:
    model = torchvision.models.mobilenet_v2(weights=None).eval()
    for parameter in model.parameters():
        parameter.data.zero_()
    path = Path(__file__).with_name("mobilenet_v2.onnx")
    torch.onnx.export(model, (torch.zeros(1, 3, 224, 224),), str(path), dynamo=False, opset_version=17)
    print(path)


if __name__ == "__main__":
    main()
