"""Whatever a module keeps and its ``forward`` changes stays as the caller left it."""

from __future__ import annotations

import functools
import logging
import random
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from predictor_core.errors import PredictorError  # noqa: E402
from predictor_core.frontends.torch import load  # noqa: E402


class Slotted:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: list[Any] = []


@dataclass
class Record:
    seen: list[Any] = field(default_factory=list)
    calls: int = 0


class Pair(NamedTuple):
    left: list[Any]
    right: list[Any]


class Named(dict):  # type: ignore[type-arg]
    """A mapping with attributes."""


def _named() -> Named:
    made = Named()
    made.items_seen = []  # type: ignore[attr-defined]
    return made


def _closure() -> Callable[[Any], None]:
    calls = 0
    seen = []

    def note(x: Any) -> None:
        nonlocal calls
        calls += 1
        seen.append(x)

    note.look = lambda: (calls, len(seen))  # type: ignore[attr-defined]
    return note


def _write_array(array: Any, x: Any) -> None:
    array += 1


def _write_record(record: Record, x: Any) -> None:
    record.calls += 1
    record.seen.append(x)


#: How a state is made, changed by forward, and looked at.
STATES: dict[str, tuple[Callable[[], Any], Callable[[Any, Any], Any], Callable[[Any], Any]]] = {
    "list": (list, lambda s, x: s.append(x), len),
    "set": (set, lambda s, x: s.add(x.shape[0]), len),
    "dict": (dict, lambda s, x: s.update(x=x), len),
    "deque": (lambda: deque(maxlen=3), lambda s, x: s.append(x), lambda s: (len(s), s.maxlen)),
    "defaultdict": (lambda: defaultdict(list), lambda s, x: s["a"].append(x), len),
    "Counter": (Counter, lambda s, x: s.update(["a"]), lambda s: s["a"]),
    "OrderedDict": (OrderedDict, lambda s, x: s.update(x=x), len),
    "subclass": (_named, lambda s, x: s.items_seen.append(x), lambda s: len(s.items_seen)),
    "array": (lambda: np.zeros(3), _write_array, lambda s: s.tolist()),
    "dataclass": (Record, _write_record, lambda s: (s.calls, len(s.seen))),
    "namespace": (lambda: SimpleNamespace(a=[]), lambda s, x: s.a.append(x), lambda s: len(s.a)),
    "slots": (Slotted, lambda s, x: s.value.append(x), lambda s: len(s.value)),
    "named tuple": (lambda: Pair([], []), lambda s, x: s.left.append(x), lambda s: len(s.left)),
    "nested": (
        lambda: {"a": [Record()]},
        lambda s, x: s["a"][0].seen.append(x),
        lambda s: len(s["a"][0].seen),
    ),
    "closure": (_closure, lambda s, x: s(x), lambda s: s.look()),
    "partial": (
        lambda: functools.partial(lambda seen, x: seen.append(x), []),
        lambda s, x: s(x),
        lambda s: len(s.args[0]),
    ),
    "batch norm in an object": (
        lambda: SimpleNamespace(bn=nn.BatchNorm2d(3).train()),
        lambda s, x: s.bn(x),
        lambda s: (s.bn.num_batches_tracked.item(), s.bn.running_mean.tolist(), s.bn.training),
    ),
}


class Keeping(nn.Module):
    """Changes a state that it holds."""

    def __init__(self, state: Any, change: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.state = state
        self.change = change

    def forward(self, x: Any) -> Any:
        self.change(self.state, x)
        return self.conv(x)


@pytest.mark.parametrize("via", ["direct", "onnx"])
@pytest.mark.parametrize("name", STATES)
def test_a_state_is_as_it_was(name: str, via: str) -> None:
    if via == "onnx":
        pytest.importorskip("onnx")
    make, change, look = STATES[name]
    model = Keeping(make(), change)
    before = look(model.state)
    load(model, input_shape=(1, 3, 4, 4), via=via)
    assert look(model.state) == before
    model(torch.zeros(1, 3, 4, 4))
    assert look(model.state) != before


def reachable(root: Any) -> list[tuple[Any, ...]]:
    """Everything that hangs on an object: which objects they are, and what they hold."""
    found: list[tuple[Any, ...]] = []
    seen: dict[int, Any] = {}
    pending = [root]
    while pending:
        item = pending.pop()
        if id(item) in seen or isinstance(item, (type, ModuleType)):
            continue
        seen[id(item)] = item
        inner: list[Any] = []
        content: Any = None
        if isinstance(item, (torch.Tensor, np.ndarray)):
            array = item.detach().numpy() if isinstance(item, torch.Tensor) else item
            content = (array.shape, array.tobytes())
        elif isinstance(item, (str, bytes, int, float, complex, type(None), slice)):
            content = repr(item)
        elif isinstance(item, Mapping):
            inner = [*item.keys(), *item.values()]
        elif isinstance(item, (list, tuple, set, frozenset, deque)):
            inner = list(item)
        elif isinstance(item, functools.partial):
            inner = [item.func, item.args, item.keywords]
        elif isinstance(item, FunctionType):
            cells = [cell.cell_contents for cell in item.__closure__ or ()]
            inner = [*cells, item.__defaults__, item.__kwdefaults__]
        if not isinstance(item, (torch.Tensor, np.ndarray)):
            inner += list(getattr(item, "__dict__", {}).values())
            slots = [name for kind in type(item).__mro__ for name in getattr(kind, "__slots__", ())]
            inner += [getattr(item, name) for name in slots if hasattr(item, name)]
        found.append((id(item), type(item), content, [id(part) for part in inner]))
        pending += inner
    # What is compared must stay alive, or another object may get the same place.
    found.append((seen,))
    return found


#: What holds states, by what a list of them becomes.
HOLDERS: tuple[Callable[[list[Any]], Any], ...] = (
    list,
    tuple,
    deque,
    lambda parts: dict(enumerate(parts)),
    lambda parts: defaultdict(list, enumerate(parts)),
    lambda parts: SimpleNamespace(parts=parts),
    lambda parts: Record(seen=parts),
    lambda parts: functools.partial(print, *parts),
    lambda parts: lambda: parts,
)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_everything_reachable_is_as_it_was(data: st.DataObject) -> None:
    changes: list[Callable[[Any], Any]] = []

    def build(shape: Any) -> Any:
        if isinstance(shape, str):
            make, change, _ = STATES[shape]
            state = make()
            changes.append(lambda x: change(state, x))
            return state
        holder, parts = shape
        made = [build(part) for part in parts]
        # One of them is held twice.
        return HOLDERS[holder]([*made, made[0]])

    holders = st.integers(0, len(HOLDERS) - 1)
    shapes = st.recursive(
        st.sampled_from(sorted(STATES)),
        lambda inner: st.tuples(holders, st.lists(inner, min_size=1, max_size=3)),
        max_leaves=5,
    )
    state = build(data.draw(shapes))
    if data.draw(st.booleans()):
        # What nothing but a cell of `forward` holds.
        model: nn.Module = Keeping(None, lambda _, x: [change(x) for change in changes])
    else:
        model = Keeping(state, lambda held, x: [change(x) for change in changes])
    model = nn.Sequential(model, nn.BatchNorm2d(3).train())
    before = reachable(model)

    load(model, input_shape=(1, 3, 4, 4))

    assert reachable(model)[:-1] == before[:-1]
    model(torch.zeros(1, 3, 4, 4))
    assert reachable(model)[:-1] != before[:-1]


def test_batch_norm_in_a_closure() -> None:
    norm = nn.BatchNorm2d(3).train()
    model = Keeping(None, lambda _, x: norm(x))
    load(model, input_shape=(1, 3, 4, 4))
    assert norm.num_batches_tracked.item() == 0
    assert norm.running_mean.device.type == "cpu"


def test_buffers_that_forward_writes_stay_on_the_way_via_onnx() -> None:
    pytest.importorskip("onnx")

    class Cached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("cache", torch.zeros(1, 2000))

        def forward(self, x: Any) -> Any:
            self.cache[:] = x + 1
            return self.cache * 2

    model = Cached()
    load(model, input_shape=(1, 2000), via="onnx")
    assert not model.cache.any()


@pytest.mark.parametrize("kind", [list, deque])
def test_a_container_that_two_modules_share_stays_shared(kind: Any) -> None:
    class Down(nn.Module):
        def __init__(self, skips: Any) -> None:
            super().__init__()
            self.conv, self.skips = nn.Conv2d(3, 3, 3, padding=1), skips

        def forward(self, x: Any) -> Any:
            self.skips.append(x)
            return self.conv(x)

    class Up(nn.Module):
        def __init__(self, skips: Any) -> None:
            super().__init__()
            self.conv, self.skips = nn.Conv2d(3, 3, 3, padding=1), skips

        def forward(self, x: Any) -> Any:
            return self.conv(x) + self.skips.pop()

    skips = kind()
    graph = load(nn.Sequential(Down(skips), Up(skips)), input_shape=(1, 3, 8, 8), via="direct")
    assert [node.op for node in graph if node.op != "input"] == ["conv", "conv", "add"]
    assert not skips


def test_a_cache_of_keys_is_not_filled_by_a_prediction() -> None:
    class Keys:
        def __init__(self) -> None:
            self.keys: Any = None

        def update(self, new: Any) -> Any:
            self.keys = new if self.keys is None else torch.cat([self.keys, new], 1)
            return self.keys

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.cache = nn.Linear(8, 8), Keys()

        def forward(self, x: Any) -> Any:
            return self.layer(self.cache.update(x))

    model = Attention().eval()
    load(model, input_shape=(1, 4, 8))
    assert model(torch.zeros(1, 4, 8)).shape == (1, 4, 8)


def test_objects_of_the_outside_world_are_not_copied() -> None:
    class Logging(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lock, self.log = threading.Lock(), logging.getLogger(__name__)

        def forward(self, x: Any) -> Any:
            with self.lock:
                self.log.debug("seen")
            return x.relu()

    assert [node.op for node in load(Logging(), input_shape=(1, 4))] == ["input", "relu"]


def test_draws_of_another_thread_are_not_repeated() -> None:
    random.seed(0)
    seen: list[float] = []
    stop = threading.Event()

    def draw() -> None:
        while not stop.is_set() and len(seen) < 100_000:
            seen.append(random.random())

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        load(nn.Sequential(*[nn.Conv2d(3, 3, 1) for _ in range(30)]), input_shape=(1, 3, 8, 8))
    finally:
        stop.set()
        thread.join()
    assert len(seen) == len(set(seen))


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cheap, self.dear = nn.Conv2d(8, 8, 3), nn.Conv2d(8, 64, 3)

    def forward(self, x: Any) -> Any:
        return self.cheap(x) if x.mean() > 0 else self.dear(x)


@pytest.mark.parametrize("via", [None, "onnx"])
def test_a_branch_on_the_data_is_a_warning(via: str | None) -> None:
    pytest.importorskip("onnx")
    (warning,) = load(Branching(), input_shape=(1, 8, 8, 8), via=via).warnings
    assert "depends on the values of its input (__bool__" in warning
    assert "test_untouched.py" in warning
    assert warning.endswith("this is its latency for zeros")


class Keyword(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, a: Any = None, b: Any = None) -> Any:
        if a is None:
            raise ValueError("a is needed")
        return self.layer(a if b is None else b)[:, : int(a.abs().sum().item() * 0 + 4)]


@pytest.mark.parametrize("names", ["a", "ba"])
def test_keyword_inputs_reach_the_torchscript_exporter(names: str, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("onnx")
    with caplog.at_level(logging.INFO):
        graph = load(Keyword(), example_inputs={name: torch.rand(1, 8) for name in names})
    assert "exporter failed" not in caplog.text
    assert "_torchscript failed" not in caplog.text
    assert graph.shape(graph.outputs[0]) == (1, 4)


def test_a_value_of_the_input_is_refused_where_only_the_direct_way_is_allowed() -> None:
    with pytest.raises(PredictorError, match=r"__bool__ of a tensor that depends on the input, in line \d+"):
        load(Branching(), input_shape=(1, 8, 8, 8), via="direct")


class Tiled(nn.Module):
    """Reads the sizes of its images and counts the tokens that stand for them, as Qwen2-VL does."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 4)
        self.layer = nn.Linear(4, 6)

    def forward(self, image: Any, sizes: Any, ids: Any) -> Any:
        (height, width), *_ = sizes.tolist()
        tiles = image.reshape(height * width, 4)
        starts = torch.repeat_interleave(sizes[:, 0] * sizes[:, 1], sizes[:, 0]).cumsum(0)
        ids[:, 0] = 1
        marked = ids == 9
        if marked.sum().item() != height * width:
            raise ValueError("as many marked tokens as tiles are needed")
        words = self.words(ids)
        words = words.masked_scatter(marked.unsqueeze(-1).expand_as(words), tiles)
        first, rest = tiles.split([sizes[0, 1], starts[0] - sizes[0, 1]])
        return self.layer(torch.cat([words[0], first, rest]))


def test_values_of_small_inputs_are_carried_where_the_model_reads_them() -> None:
    ids = torch.full((1, 8), 9)
    ids[0, :2] = 0
    given = {"image": torch.zeros(1, 24), "sizes": torch.tensor([[2, 3]]), "ids": ids}
    graph = load(Tiled(), example_inputs=given, via="direct")
    assert graph.shape(graph.outputs[0]) == (8 + 6, 6)
    assert {"embedding", "fc"} <= {node.op for node in graph}
    (warning,) = graph.warnings
    assert (
        "depends on the values of its input (tolist of a tensor that depends on the input, in line" in warning
    )
    assert warning.endswith("this is its latency for the example inputs")
    assert ids.tolist() == [[0, 0, 9, 9, 9, 9, 9, 9]]


class Uncached(nn.Module):
    """Embeds what is left of its tokens after it has looked at their number, as FlauBERT does."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.layer = nn.Embedding(10, 4), nn.Linear(4, 6)

    def forward(self, ids: Any) -> Any:
        kept = ids[:, -int((ids != 0).sum()) :]
        kept[:, 0] += 1
        found = (kept == 9).nonzero()[:, 1]
        return self.layer(self.words(kept + 1)) * (kept > 2).unsqueeze(-1), self.words(found), kept.unbind(1)


def test_what_is_computed_from_values_that_are_carried_depends_on_the_input() -> None:
    ids = torch.tensor([[0, 1, 9, 9]])
    graph = load(Uncached(), example_inputs=ids, via="direct")
    assert [graph.shape(one) for one in graph.outputs] == [(1, 3, 6), (2, 4), (1,), (1,), (1,)]
    ops = [node.op for node in graph]
    assert ops.count("embedding") == 2
    assert {"fc", "mul", "nonzero"} < set(ops)
    assert ids.tolist() == [[0, 1, 9, 9]]


def test_what_a_model_says_of_the_values_that_are_given_is_told() -> None:
    given = {"image": torch.zeros(1, 24), "sizes": torch.tensor([[2, 3]]), "ids": torch.zeros(1, 8).long()}
    with pytest.raises(
        PredictorError, match=r"with the values that are given: .*as many marked tokens as tiles"
    ):
        load(Tiled(), example_inputs=given, via="direct")


class Sized(nn.Module):
    """Takes sizes from tensors, as LED does, and is refused where a library tells that it is captured."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 6)

    def forward(self, x: Any, ids: Any) -> Any:
        rows = torch.div(torch.tensor(8), 4, rounding_mode="trunc")
        made = self.layer.weight.new_zeros((rows, 4)) + self.layer.weight.view(rows, 3, 4)[:, 0]
        y = self.layer(x + made)
        if torch.compiler.is_compiling():
            raise TypeError("captured")
        return y[y.sum(1) > 0].expand(rows, -1) if ids.sum() > 0 else y


def test_sizes_may_be_tensors_and_what_captured_models_say_is_not_told() -> None:
    zeros, ones = torch.zeros(2, 2).long(), torch.ones(2, 2).long()
    graph = load(Sized(), example_inputs=(torch.zeros(2, 4), zeros), via="direct")
    assert graph.shape(graph.outputs[0]) == (2, 6)
    with pytest.raises(PredictorError, match="of a tensor that depends on the input, in line") as caught:
        load(Sized(), example_inputs=(torch.zeros(2, 4), ones), via="direct")
    assert "captured" not in str(caught.value)


def test_values_of_inputs_that_are_computed_with_are_not_known() -> None:
    class Overwritten(nn.Module):
        def forward(self, x: Any, n: Any) -> Any:
            n.copy_(x[0, :1])
            return x[: n.item()]

    given = (torch.rand(4, 4), torch.ones(1, dtype=torch.long))
    with pytest.raises(PredictorError, match="item of a tensor that depends on the input"):
        load(Overwritten(), example_inputs=given, via="direct")


class Backbone(nn.Module):
    """Returns what hooks have kept of its layers, as the backbones of transformers and timm do."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 8, 3))
        self.kept: list[Any] = []
        for layer in self.layers:
            layer.register_forward_hook(functools.partial(self._keep, 1))

    def _keep(self, times: int, module: Any, inputs: Any, output: Any) -> None:
        self.kept += [output] * times

    def forward(self, x: Any) -> Any:
        self.kept.clear()
        self.layers(x)
        return tuple(self.kept)


def test_hooks_of_libraries_are_part_of_their_models(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Backbone()
    with pytest.raises(PredictorError, match="nothing that it returns"):
        load(model, input_shape=(1, 3, 8, 8), via="direct")
    monkeypatch.setattr(Backbone._keep, "__module__", "transformers.utils.output_capturing")
    graph = load(model, input_shape=(1, 3, 8, 8), via="direct")
    assert [graph.shape(one) for one in graph.outputs] == [(1, 6, 6, 4), (1, 4, 4, 8)]
    assert not model.kept


class Windows(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.reshape(1, 4, 2, 2, 2, 2)


def test_a_shape_that_does_not_fit_names_the_module() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), Windows())
    with pytest.raises(PredictorError, match="module '1': can't reshape"):
        load(model, input_shape=(1, 3, 8, 8), via="direct")
