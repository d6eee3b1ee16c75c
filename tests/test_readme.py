"""What the README shows works."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL), ids=["video", "any_module"])
def test_example_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})


def test_first_screen_has_both_commands():
    first = README.splitlines()[:40]
    assert "pip install -e . && nvrc fit --config recipes/nvrc_lite.yaml" in first
    assert 'pip install -e ".[dev]" && pytest -n 2' in first
