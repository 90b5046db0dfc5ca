"""Candidates that are plain modules."""

from __future__ import annotations

from typing import Any

from torch import nn

from nnmeter_nni.candidates.candidate import Candidate


def read(candidate: Any) -> Candidate | None:
    """Read a ``torch.nn.Module``; None for anything else."""
    if not isinstance(candidate, nn.Module):
        return None
    return Candidate("module", lambda: candidate)
