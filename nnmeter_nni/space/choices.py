"""ChoiceSpace: a module whose choices only pick among modules, so that candidates can be assembled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from nnmeter_nni.candidates.interpreter import GraphChoice

#: A choice and one of its values.
Pair = tuple[str, Any]


class ChoiceSpace:
    """A model space, owned by us, in which the modules of a sample can be put in place.

    NNI builds every candidate of every choice to make one fixed module. Here all are built once, and a
    sample puts the chosen ones where NNI would. A constructor may look at what was chosen and build the rest
    accordingly, as NNI's ``Cell`` does, so the result must be compared with what is built (`SpaceMemo` does).

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
    ) -> None:
        self.module = module
        self.conditions = dict(conditions)
        self.paths = dict(paths)
        self._places = places
        self.values: dict[str, list[Any]] = {}
        for _, _, choice in places:
            self.values.setdefault(choice.label, list(choice.names))

    @classmethod
    def of(cls, module: nn.Module, labels: set[str]) -> ChoiceSpace | None:
        """Find the choices of a space; None when some of its `labels` do more than to pick a module.

        Parameters
        ----------
        module : torch.nn.Module
            The unmutated space, not used by anybody else.
        labels : set of str
            Labels of a sample of the space.
        """
        from nni.nas.nn.pytorch import LayerChoice

        layer_choices = (LayerChoice, GraphChoice)
        paths: dict[str, list[str]] = {}
        places: list[tuple[nn.Module, str, Any]] = []
        conditions: dict[str, dict[str, Any]] = {}
        visited: set[int] = set()

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
                if isinstance(child, layer_choices):
                    places.append((parent, name, child))
                    paths.setdefault(child.label, []).append(inner)
                    conditions.setdefault(child.label, when)

        walk(module, "", {})
        return cls(module, paths, places, conditions) if set(paths) == labels else None

    @property
    def pairs(self) -> set[Pair]:
        """Every choice with each of its values."""
        return {(label, value) for label, values in self.values.items() for value in values}

    def assemble(self, sample: Mapping[str, Any]) -> nn.Module:
        """Return the module with the choices of a sample in place."""
        for parent, name, choice in self._places:
            parent._modules[name] = choice[sample[choice.label]]
        return self.module

    def in_effect(self, sample: Mapping[str, Any]) -> set[Pair]:
        """Return the choices of a sample that the others have not left out."""
        return {
            (label, value)
            for label, value in sample.items()
            if all(sample[one] == wanted for one, wanted in self.conditions.get(label, {}).items())
        }

    def covering(self, pairs: Iterable[Pair]) -> dict[str, Any]:
        """Return choices, not of all labels, that put as many of the pairs in effect as one sample can."""
        sample: dict[str, Any] = {}
        for label, value in sorted(pairs, key=repr):
            needed = {**self.conditions.get(label, {}), label: value}
            if all(sample.get(one, wanted) == wanted for one, wanted in needed.items()):
                sample.update(needed)
        return sample

    def completed(self, choices: Mapping[str, Any]) -> dict[str, Any]:
        """Return a sample with the given choices, and the first value of every other."""
        return {label: choices.get(label, values[0]) for label, values in self.values.items()}
