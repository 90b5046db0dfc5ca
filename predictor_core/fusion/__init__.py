"""Fusion: a Graph and the rules of a device give kernels."""

from __future__ import annotations

from predictor_core.fusion.detect import detect
from predictor_core.fusion.rules import Pattern, Rules, Step, load_rules, read_rules

__all__ = ["Pattern", "Rules", "Step", "detect", "load_rules", "read_rules"]
