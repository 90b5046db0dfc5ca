"""What the tree promises: arrows that point one way, and names that stand in one place."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from predictor_core.ir.ops import KNOWN_OPS
from predictor_core.ir.order import CycleError, topological_order
from predictor_core.kernels import KERNEL_OPS

ROOT = Path(__file__).parents[1]
PACKAGES = ("predictor_core", "nnmeter_nni")
MODULES = {
    ".".join(
        (path.parent if path.name == "__init__.py" else path.with_suffix("")).relative_to(ROOT).parts
    ): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}
MOST_LINES = 300

#: Longer modules without a reason in their docstring, yet to be split.
LONG = frozenset(
    {
        "predictor_core.learning.learn",
    }
)

#: Modules that name devices: settings of the four embedded ones, which are yet to move to their folders.
WHERE_DEVICES_ARE_NAMED = frozenset(
    {
        "predictor_core.learning.bench",
        # The sources of the phones and of x86.
        "predictor_core.learning.phones.joint",
        "predictor_core.learning.x86.environments",
        "predictor_core.learning.settings",
        # The predictor that plans a measurement where none is named.
        "predictor_core.measuring.planning.plan",
        # In the names of predictors that its messages and examples show.
        "nnmeter_nni.space.sampling",
    }
)

#: Modules that may name ops: tables, handlers of a format, passes, and rules for what an op is made of.
WHERE_OPS_ARE_NAMED = (
    "predictor_core.ir.",
    "predictor_core.kernels.",
    "predictor_core.frontends.",
    # How the kernels of 1.0 are read and costed is a table of its own.
    "predictor_core.legacy.",
    # What is measured, and how its forests are grown, is said by op.
    "predictor_core.learning.",
    "predictor_core.measuring.",
    # The effects that learned devices have, by kind of kernel.
    "predictor_core.predictor.design",
    # They write models op by op.
    "predictor_core.zoo.",
    "nnmeter_nni.candidates.",
    "nnmeter_nni.space.",
)
#: Words that are names of ops and of other things, too.
AMBIGUOUS = frozenset(
    {
        "add",
        "concat",
        "conv",
        "exp",
        "expand",
        "fc",
        "input",
        "log",
        "max",
        "min",
        "mul",
        "pad",
        "pow",
        "round",
    }
    | {
        "detach",
        "gather",
        "identity",
        "reshape",
        "roll",
        "slice",
        "split",
        "square",
        "stack",
        "where",
        "clip",
    }
)


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports(module: str, *, lazy: bool = True) -> set[str]:
    """Modules of ours that a module imports, those for type checkers left out; in functions if `lazy`."""
    found: set[str] = set()
    for node in _nodes(tree(module), lazy):
        if isinstance(node, ast.Import):
            found.update(name for alias in node.names if (name := _known(alias.name)))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports by a relative path"
            for alias in node.names:
                name = _known(f"{node.module}.{alias.name}") or _known(node.module or "")
                if name:
                    found.add(name)
    return found - {module}


def _known(name: str) -> str:
    return name if name in MODULES else ""


def _nodes(node: ast.AST, lazy: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield other
                yield from _nodes(other, lazy)
            continue
        if not lazy and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        yield child
        yield from _nodes(child, lazy)


def strings(module: str) -> set[str]:
    """Texts in the code of a module, docstrings left out."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(None)
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def test_no_import_goes_in_a_circle() -> None:
    try:
        topological_order({module: imports(module) for module in MODULES})
    except CycleError as error:
        pytest.fail(f"{error}; it imports {sorted(imports(error.item))}")


def test_graphs_know_nothing_but_errors() -> None:
    for module in MODULES:
        if module.startswith("predictor_core.ir"):
            foreign = {name for name in imports(module) if not name.startswith("predictor_core.ir")}
            assert foreign <= {"predictor_core.errors"}, module


def test_the_core_does_not_know_nni() -> None:
    for module in MODULES:
        if module.startswith("predictor_core"):
            assert not any(name.startswith("nnmeter_nni") for name in imports(module)), module


def test_importing_the_package_loads_numpy_and_yaml_at_most() -> None:
    code = (
        "import sys; before = set(sys.modules); import predictor_core; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(*new - set(sys.stdlib_module_names))"
        if sys.version_info >= (3, 10)
        else "import predictor_core; print('predictor_core')"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert set(run.stdout.split()) <= {"predictor_core", "numpy", "yaml", "_yaml"}


def test_no_code_names_a_device() -> None:
    devices = {path.parent.name for path in (ROOT / "predictor_core" / "devices").rglob("device.yaml")}
    assert devices
    named = {
        module: sorted(devices & strings(module))
        for module in MODULES
        if module not in WHERE_DEVICES_ARE_NAMED and devices & strings(module)
    }
    assert named == {}


def test_ops_are_named_in_tables_and_handlers_only() -> None:
    names = (KNOWN_OPS | set(KERNEL_OPS)) - AMBIGUOUS
    named = {
        module: sorted(names & strings(module))
        for module in MODULES
        if not module.startswith(WHERE_OPS_ARE_NAMED) and names & strings(module)
    }
    assert named == {}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_long_modules_say_why(module: str) -> None:
    text = MODULES[module].read_text(encoding="utf-8")
    if len(text.splitlines()) > MOST_LINES and module not in LONG:
        assert "hence the length" in (ast.get_docstring(ast.parse(text)) or "")
