"""Vision transformers of the phones' measurements: configurations, with the sizes that were published."""

from __future__ import annotations

from typing import Any, NamedTuple


class Transformer(NamedTuple):
    """A model of the package `transformers`.

    Parameters
    ----------
    model_class, config_class : str
        Names in `transformers`.
    config : dict
        What differs from the defaults of the configuration.
    size : int
        Pixels of an edge of the input.
    parameters_m : float
        Published number of parameters, in millions (of the papers, or of the checkpoint).
    gmacs : float
        Published multiply-accumulates at that size, in thousand millions; 0 where none were published.
    """

    model_class: str
    config_class: str
    config: dict[str, Any]
    size: int
    parameters_m: float
    gmacs: float


def _of(
    prefix: str,
    size: int,
    parameters_m: float,
    gmacs: float = 0.0,
    *,
    head: str = "ForImageClassification",
    **config: Any,
) -> Transformer:
    config = {"num_labels": 1000, **config}
    return Transformer(f"{prefix}{head}", f"{prefix}Config", config, size, parameters_m, gmacs)


def _beit(size: int, gmacs: float) -> Transformer:
    own: dict[str, Any] = {"use_relative_position_bias": True, "layer_scale_init_value": 0.1}
    return _of("Beit", size, 87.0, gmacs, image_size=size, **own)


def _deit(size: int, width: int, heads: int, parameters_m: float, gmacs: float) -> Transformer:
    shape: dict[str, Any] = {
        "hidden_size": width,
        "num_attention_heads": heads,
        "intermediate_size": 4 * width,
    }
    teacher = "ForImageClassificationWithTeacher"
    return _of("DeiT", size, parameters_m, gmacs, head=teacher, image_size=size, **shape)


def _levit(
    parameters_m: float, gmacs: float, widths: list[int], heads: list[int], depths: list[int], key: int
) -> Transformer:
    shape: dict[str, Any] = {
        "hidden_sizes": widths,
        "num_attention_heads": heads,
        "depths": depths,
        "key_dim": [key] * 3,
    }
    return _of("Levit", 224, parameters_m, gmacs, head="ForImageClassificationWithTeacher", **shape)


def _mit(parameters_m: float, gmacs: float, widths: list[int], depths: list[int]) -> Transformer:
    return _of("Segformer", 224, parameters_m, gmacs, hidden_sizes=widths, depths=depths)


def _poolformer(parameters_m: float, gmacs: float, widths: list[int], depths: list[int]) -> Transformer:
    return _of("PoolFormer", 224, parameters_m, gmacs, hidden_sizes=widths, depths=depths)


def _swift(parameters_m: float, gmacs: float, widths: list[int], depths: list[int]) -> Transformer:
    return _of("SwiftFormer", 224, parameters_m, gmacs, embed_dims=widths, depths=depths)


def _swin(
    prefix: str, size: int, window: int, base: bool, parameters_m: float, gmacs: float, labels: int = 1000
) -> Transformer:
    shape: dict[str, Any] = {"image_size": size, "window_size": window, "num_labels": labels}
    if base:
        shape.update(embed_dim=128, depths=[2, 2, 18, 2], num_heads=[4, 8, 16, 32])
    return _of(prefix, size, parameters_m, gmacs, **shape)


def _vit(
    prefix: str, size: int, patch: int, parameters_m: float, gmacs: float = 0.0, small: bool = False
) -> Transformer:
    shape: dict[str, Any] = {"image_size": size, "patch_size": patch}
    if small:
        shape.update(hidden_size=384, num_attention_heads=6, intermediate_size=1536)
    return _of(prefix, size, parameters_m, gmacs, **shape)


_NARROW, _WIDE, _MIDDLE = [32, 64, 160, 256], [64, 128, 320, 512], [96, 192, 384, 768]
_DINO: dict[str, Any] = {"image_size": 518, "patch_size": 14}
_XX_SMALL: dict[str, Any] = {
    "hidden_sizes": [64, 80, 96],
    "neck_hidden_sizes": [16, 16, 24, 48, 64, 80, 320],
    "expand_ratio": 2.0,
}
#: The class reads `hidden_size`, the width of the last stage, from the checkpoint's configuration.
_FORMER_L1: dict[str, Any] = {"hidden_size": 448}
_FORMER_L7: dict[str, Any] = {
    **{"hidden_sizes": _MIDDLE, "depths": [6, 6, 18, 8], "dim": 768, "num_meta3d_blocks": 8},
    "hidden_size": 768,
}
_FOCAL_BASE: dict[str, Any] = {"embed_dim": 128, "depths": [2, 2, 18, 2]}

#: By the name that the measurements give; ``-300`` counts epochs of training, not pixels.
TRANSFORMERS: dict[str, Transformer] = {
    "beit-base-patch16-224": _beit(224, 17.6),
    "beit-base-patch16-384": _beit(384, 55.5),
    "cvt-13": _of("Cvt", 224, 20.0, 4.5),
    "cvt-13-384": _of("Cvt", 384, 20.0, 16.3),
    "cvt-21-384": _of("Cvt", 384, 32.0, 24.9, depth=[1, 4, 16]),
    "deit-base-distilled-patch16-224": _deit(224, 768, 12, 87.0, 17.6),
    "deit-base-distilled-patch16-384": _deit(384, 768, 12, 87.6, 55.6),
    "deit-tiny-distilled-patch16-224": _deit(224, 192, 3, 5.9, 1.3),
    "dinov2-base-imagenet1k-1-layer": _of("Dinov2", 224, 88.1, **_DINO),
    "dinov2-small-imagenet1k-1-layer": _of(
        "Dinov2", 224, 22.8, **_DINO, hidden_size=384, num_attention_heads=6
    ),
    "efficientformer-l1-300": _of(
        "EfficientFormer", 224, 12.3, 1.3, head="ForImageClassificationWithTeacher", **_FORMER_L1
    ),
    "efficientformer-l7-300": _of(
        "EfficientFormer", 224, 82.1, 10.2, head="ForImageClassificationWithTeacher", **_FORMER_L7
    ),
    "focalnet-base": _of("FocalNet", 224, 88.1, 15.3, **_FOCAL_BASE),
    "focalnet-tiny": _of("FocalNet", 224, 28.4, 4.4),
    "levit-128": _levit(9.2, 0.406, [128, 256, 384], [4, 8, 12], [4, 4, 4], 16),
    "levit-128S": _levit(7.8, 0.305, [128, 256, 384], [4, 6, 8], [2, 3, 4], 16),
    "levit-256": _levit(18.9, 1.12, [256, 384, 512], [4, 6, 8], [4, 4, 4], 32),
    "levit-384": _levit(39.1, 2.353, [384, 512, 768], [6, 9, 12], [4, 4, 4], 32),
    "mit-b0": _mit(3.7, 0.6, _NARROW, [2, 2, 2, 2]),
    "mit-b1": _mit(14.0, 2.1, _WIDE, [2, 2, 2, 2]),
    "mit-b3": _mit(45.2, 6.9, _WIDE, [3, 4, 18, 3]),
    "mit-b4": _mit(62.6, 10.1, _WIDE, [3, 8, 27, 3]),
    "mit-b5": _mit(82.0, 11.8, _WIDE, [3, 6, 40, 3]),
    "mobilevit-small": _of("MobileViT", 256, 5.6, 2.0),
    "mobilevit-xx-small": _of("MobileViT", 256, 1.3, 0.4, **_XX_SMALL),
    "mobilevitv2-1.0-imagenet1k-256": _of("MobileViTV2", 256, 4.9, 1.8),
    "mobilevitv2-1.5-voc-deeplabv3": _of("MobileViTV2", 256, 10.6, 4.0, width_multiplier=1.5),
    "mobilevitv2-2.0-imagenet1k-256": _of("MobileViTV2", 256, 18.5, 7.5, width_multiplier=2.0),
    "poolformer_m36": _poolformer(56.1, 8.8, _MIDDLE, [6, 6, 18, 6]),
    "poolformer_m48": _poolformer(73.4, 11.6, _MIDDLE, [8, 8, 24, 8]),
    "poolformer_s12": _poolformer(11.9, 1.8, _WIDE, [2, 2, 6, 2]),
    "poolformer_s36": _poolformer(30.8, 5.0, _WIDE, [6, 6, 18, 6]),
    "pvt-large-224": _of("Pvt", 224, 61.4, 9.8, depths=[3, 8, 27, 3]),
    "pvt-medium-224": _of("Pvt", 224, 44.2, 6.7, depths=[3, 4, 18, 3]),
    "pvt-tiny-224": _of("Pvt", 224, 13.2, 1.9, depths=[2, 2, 2, 2]),
    "swiftformer-l1": _swift(12.1, 1.6, [48, 96, 192, 384], [4, 3, 10, 5]),
    "swiftformer-l3": _swift(28.5, 4.0, [64, 128, 320, 512], [4, 4, 12, 6]),
    "swiftformer-xs": _swift(3.5, 0.6, [48, 56, 112, 220], [3, 3, 6, 4]),
    "swin-base-patch4-window12-384": _swin("Swin", 384, 12, True, 88.0, 47.1),
    "swin-base-patch4-window7-224": _swin("Swin", 224, 7, True, 88.0, 15.4),
    "swin-tiny-patch4-window7-224": _swin("Swin", 224, 7, False, 28.3, 4.5),
    "swinv2-base-patch4-window12-192-22k": _swin("Swinv2", 192, 12, True, 109.0, 0.0, 21841),
    "swinv2-base-patch4-window16-256": _swin("Swinv2", 256, 16, True, 88.0, 21.8),
    "swinv2-base-patch4-window8-256": _swin("Swinv2", 256, 8, True, 88.0, 20.3),
    "swinv2-tiny-patch4-window16-256": _swin("Swinv2", 256, 16, False, 28.3, 6.6),
    "van-base": _of("Van", 224, 26.6, 5.0),
    "van-large": _of("Van", 224, 44.8, 9.0, depths=[3, 5, 27, 3]),
    "van-tiny": _of("Van", 224, 4.1, 0.9, hidden_sizes=_NARROW, depths=[3, 3, 5, 2]),
    "vit-base-patch16-224-in21k": _vit("ViT", 224, 16, 86.6, 17.6),
    "vit-base-patch16-384": _vit("ViT", 384, 16, 86.9, 55.5),
    "vit-base-patch32-224-in21k": _vit("ViT", 224, 32, 88.2, 4.4),
    "vit-hybrid-base-bit-384": _of("ViTHybrid", 384, 99.0, image_size=384),
    "vit-msn-base": _vit("ViTMSN", 224, 16, 86.6, 17.6),
    "vit-msn-base-4": _vit("ViTMSN", 224, 4, 88.4),
    "vit-msn-small": _vit("ViTMSN", 224, 16, 22.1, 4.6, small=True),
}
