"""A module space whose choices only pick among modules, so that a candidate is assembled, not built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from nnmeter_nni.candidates.interpreter import GraphChoice


class ChoiceSpace:
    """A model space, owned by us, in which the modules of a sample can be put in place.

    NNI builds every candidate of every choice to make one fixed module. Here all are built once, and a
    sample puts the chosen ones where NNI would.

    Parameters
    ----------
    module : torch.nn.Module
        The space; it is changed.
    paths : mapping of str to list of str
        Label of each choice -> paths of its modules.
    places : list
        Parent, name and choice module of each path, inner ones first.
    conditions : mapping of str to mapping
        Label of each choice -> choices that it is inside of, and their values with which it is there.
    local : bool
        Whether every choice only picks a module, and none the wiring.

    Attributes
    ----------
    values : dict of str to list
        Label of each choice -> what can be chosen.
    """

    def __init__(
        self,
        module: nn.Module,
        paths: Mapping[str, list[str]],
        places: list[tuple[nn.Module, str, Any]],
        conditions: Mapping[str, Mapping[str, Any]],
        *,
        local: bool,
    ) -> None:
        self.module = module
        self.conditions = dict(conditions)
        self.local = local
        self.paths = dict(paths)
        self._places = places
        self.values: dict[str, list[Any]] = {}
        for _, _, choice in places:
            self.values.setdefault(choice.label, _values(choice))

    @classmethod
    def of(cls, module: nn.Module, labels: set[str]) -> ChoiceSpace | None:
        """Find the choices of a space; None when some of its `labels` are not choices among modules.

        Parameters
        ----------
        module : torch.nn.Module
            The unmutated space, not used by anybody else.
        labels : set of str
            Labels of a sample of the space.
        """
        from nni.nas.nn.pytorch import InputChoice, LayerChoice

        layer_choices = (LayerChoice, GraphChoice)

        paths: dict[str, list[str]] = {}
        places: list[tuple[nn.Module, str, Any]] = []
        visited: set[int] = set()

        conditions: dict[str, dict[str, Any]] = {}

        def walk(parent: nn.Module, path: str, condition: dict[str, Any]) -> None:
            if id(parent) in visited:
                return
            visited.add(id(parent))
            # A candidate takes the place of its choice, so what is inside of it has the path of the choice.
            chosen = (
                {str(value): value for value in parent.names} if isinstance(parent, layer_choices) else None
            )
            for name, child in [(name, parent._modules[name]) for name in chosen or parent._modules]:
                inner, when = f"{path}.{name}" if path else name, condition
                if chosen is not None:
                    inner, when = path, {**condition, parent.label: chosen[name]}
                if child is not None:
                    walk(child, inner, when)
                if isinstance(child, (*layer_choices, InputChoice)):
                    places.append((parent, name, child))
                    paths.setdefault(child.label, []).append(inner)
                    conditions.setdefault(child.label, when)

        walk(module, "", {})
        if set(paths) != labels:
            return None
        local = not any(isinstance(choice, InputChoice) for _, _, choice in places)
        return cls(module, paths, places, conditions, local=local)

    def assemble(self, sample: Mapping[str, Any]) -> nn.Module:
        """Return the module with the choices of a sample in place."""
        for parent, name, choice in self._places:
            parent._modules[name] = _chosen(choice, sample[choice.label])
        return self.module


def _values(choice: Any) -> list[Any]:
    if hasattr(choice, "names"):
        return list(choice.names)
    return list(range(choice.n_candidates))


def _chosen(choice: Any, value: Any) -> nn.Module:
    if hasattr(choice, "names"):
        module: nn.Module = choice[value]
        return module
    from nni.nas.nn.pytorch import ChosenInputs

    fixed: nn.Module = ChosenInputs(list(value) if isinstance(value, tuple) else value, choice.reduction)
    return fixed
