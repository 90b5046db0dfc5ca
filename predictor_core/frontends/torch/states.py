"""State of a torch module: the tensors that a call of its ``forward`` leaves for the next one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import torch

from predictor_core.frontends.torch.module_copy import ModuleCopy


class States:
    """What one call of a module finds and leaves in the module's tensors.

    Parameters
    ----------
    module_copy : ModuleCopy
        The module that runs.
    known : collection of int
        Ids of the caller's tensors that are state.

    Attributes
    ----------
    names : dict of int to str
        Name of its input by the id of a state.
    """

    def __init__(self, module_copy: ModuleCopy, known: Collection[int]) -> None:
        self.names: dict[int, str] = {}
        self._module_copy = module_copy
        self._known = known
        self._originals = {id(made): original for original, made in module_copy.replacements().items()}
        self._written: dict[int, torch.Tensor] = {}

    def found(self) -> Iterator[tuple[int, torch.Tensor, str]]:
        """Yield id, replacement and path of each state."""
        if self._known:
            paths = {id(buffer): path for path, buffer in self._module_copy.module.named_buffers()}
            for original, made in self._module_copy.replacements().items():
                if original in self._known:
                    yield original, made, paths.get(id(made), "state")

    def note_written(self, tensor: torch.Tensor) -> None:
        """Note that something that depends on an input was written to a tensor."""
        original = self._originals.get(id(tensor))
        if original is not None:
            self._written[original] = tensor

    def left(self, name_of: Callable[[torch.Tensor], str | None]) -> dict[int, str]:
        """Return the names of what the module's tensors hold in the end, by the id of the caller's tensor.

        `name_of` names what depends on an input; what does not is left out.
        """
        held = {**self._written, **self._module_copy.rebound()}
        names = {original: name_of(tensor) for original, tensor in held.items()}
        return {original: name for original, name in names.items() if name is not None}
