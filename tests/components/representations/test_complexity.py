"""The counter against a count by hand."""

from nvrc_components.representations.complexity import complexity
from nvrc_components.representations.nvrc_lite import NvrcLite, NvrcLiteConfig


def test_counts_equal_a_count_by_hand():
    config = NvrcLiteConfig(
        frames=4,
        height=48,
        width=48,
        widths=(8, 6, 4, 4),
        base_grids=((2, 1, 1), (4, 2, 2)),
        stage_grids=((2, 1), (1, 2), (0, 1), (0, 1)),
        local_channels=0,
        shortcut=1,
    )
    parts = {part.name: part for part in complexity(NvrcLite(config))}
    pixels = 48 * 48
    # three frames through both convolutions (2x2 and 1x1 positions), then three taps at 2x2 positions
    stem = 3 * (4 * 9 * 2 * 8 + 1 * 9 * 4 * 8) + 4 * 3 * 8 * 8
    blocks = [  # pixels, width in, width out, grid channels, shortcut
        (6 * 6, 8, 8, 2, 0),
        (12 * 12, 8, 6, 1, 8 * 6),
        (24 * 24, 6, 4, 0, 6 * 4),
        (48 * 48, 4, 4, 0, 0),
    ]
    macs = [n * (9 * i + 4 * o * i + 4 * o * o + g * i + extra) for n, i, o, g, extra in blocks]
    assert round(parts["stem"].macs_per_pixel * pixels) == stem
    for index, expected in enumerate(macs):
        assert round(parts[f"stages.{index}"].macs_per_pixel * pixels) == expected
    assert parts["head"].macs_per_pixel == 4 * 3
    assert round(parts["total"].macs_per_pixel * pixels) == stem + sum(macs) + 12 * pixels
    assert parts["stages.1"].parameters == 9 * 8 + 4 * 6 * 8 + 4 * 6 * 6 + 1 * 8 + 8 * 6
    assert parts["head"].parameters == 4 * 3 + 3
    assert parts["grids"].parameters == 4 * 2 * 4 + 2 * 4 + 4 * 2 * 36 + 2 * 144
    assert parts["total"].parameters == sum(p.numel() for p in NvrcLite(config).parameters())
    assert all(part.published_macs_per_pixel == part.macs_per_pixel for part in parts.values())


def test_size_s_costs_about_seven_thousand_a_pixel():
    config = NvrcLiteConfig(frames=1, height=240, width=240)
    assert 6500 < complexity(NvrcLite(config))[-1].macs_per_pixel < 8200
