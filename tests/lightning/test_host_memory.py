"""Keeping freed memory, where the allocator can."""

import platform
import sys

import pytest
import torch

from nvrc_lightning.cli import main
from nvrc_lightning.host_memory import is_out_of_memory, keep_freed_memory


def test_glibc_takes_the_settings():
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert keep_freed_memory() is False


@pytest.mark.parametrize("allocate", [lambda: torch.empty(2**50), lambda: bytearray(2**50)], ids=["torch", "python"])
def test_too_little_memory_is_one_line(allocate, monkeypatch, capsys):
    monkeypatch.setattr("nvrc_lightning.commands.run", lambda *_: allocate())
    assert main(["decode", "a.nvrc", "a.y4m"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("nvrc: error: there is not enough memory")
    assert error.count("\n") == 1


def test_other_failures_are_no_shortage():
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(ValueError("not enough memory"))
