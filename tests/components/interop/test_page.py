"""What the page about CompressAI shows works."""

import re
from pathlib import Path

import torch

PAGE = (Path(__file__).parents[3] / "docs" / "compressai.md").read_text(encoding="utf-8")


def test_example_trains_and_its_strings_hold_the_latent(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    torch.manual_seed(0)
    names = {}
    exec(compile(code, "compressai.md", "exec"), names)
    size, estimate = map(int, re.fullmatch(r"(\d+) bytes, estimated (\d+)\n", capsys.readouterr().out).groups())
    assert abs(size - estimate) <= 0.005 * estimate + 64
    assert names["coded"]["y_hat"].std() > 0.5
    error = (names["estimated"]["x_hat"] - names["frame"]).square().mean()
    assert error < names["frame"].var() / 2
