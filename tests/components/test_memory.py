"""How much memory there is."""

import math
import os

import pytest

from nvrc_components import memory


def test_a_machine_has_some_and_not_without_end():
    assert 2**26 < memory.machine_memory() < math.inf


@pytest.mark.parametrize(("text", "limit"), [("1048576\n", 2**20), ("max\n", math.inf), (None, math.inf)])
def test_a_container_may_have_less(text, limit, tmp_path, monkeypatch):
    if text is not None:
        (tmp_path / "memory.max").write_text(text)
    monkeypatch.setattr(memory, "_GROUP_LIMITS", (str(tmp_path / "memory.max"),))
    monkeypatch.setattr(memory, "_physical", lambda: math.inf)
    assert memory.machine_memory() == limit


def test_a_system_that_does_not_tell_has_no_limit(monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    monkeypatch.setattr(memory, "_GROUP_LIMITS", ())
    assert memory.machine_memory() == math.inf
