"""YAML of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor_core.yaml_files import MAX_BYTES, parse_yaml, read_yaml


def test_plain_data_is_read() -> None:
    assert parse_yaml("a: [1, {b: x}]") == {"a": [1, {"b": "x"}]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [1]\nb: *x", "alias"),
        ("&x [*x]", "alias"),
        ("[" * 200 + "]" * 200, "nested"),
        ("a: [", "not YAML"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_what_multiplies_or_runs_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_yaml(text)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b" " * (MAX_BYTES + 1))

    with pytest.raises(ValueError, match="bytes"):
        read_yaml(path)
