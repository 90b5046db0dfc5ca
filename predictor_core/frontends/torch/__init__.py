"""PyTorch: modules, exported programs, and the models of torchvision by name."""

from predictor_core.frontends.torch.frontend import load

__all__ = ["load"]
