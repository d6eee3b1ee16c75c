"""The frame comparator, and the contact sheets that hold its pictures and stand in for it on paper."""

import math
from collections.abc import Sequence
from typing import Any

from nvrc_lightning.evaluation.report.curves import Curve
from nvrc_lightning.evaluation.report.frames import Album, Stream
from nvrc_lightning.evaluation.report.markup import Markup, join, tag
from nvrc_lightning.evaluation.report.measures import bpp

__all__ = ["comparator_data", "comparator_section"]

_GAINS = (4, 8, 16)
_ROWS = (
    ("name", "Picture"),
    ("bytes", "File, bytes"),
    ("rate", "Rate, bit/pixel"),
    ("frame", "PSNR-RGB of this frame"),
    ("mean", "PSNR-RGB, mean of all frames"),
)


def comparator_data(albums: Sequence[Album], curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """Everything the comparator says, as plain data; an infinite PSNR is null."""
    return [
        {
            "video": album.video,
            "width": album.size[0],
            "height": album.size[1],
            "frames": album.frames,
            "total": album.total,
            "streams": [_stream(stream, album, curves) for stream in album.streams],
            "levels": [
                {"bpp": level.bpp, "streams": _numbers(album, number)} for number, level in enumerate(album.levels)
            ],
        }
        for album in albums
    ]


def _numbers(album: Album, level: int) -> list[int]:
    """Which streams a level compares."""
    wanted = [point.stream for _, point in album.levels[level].points]
    return [number for number, stream in enumerate(album.streams) if stream.point and stream.point.stream in wanted]


def _stream(stream: Stream, album: Album, curves: Sequence[Curve]) -> dict[str, Any]:
    if stream.point is None:
        return {"curve": stream.curve, "label": "source", "setting": "", "bytes": None, "bpp": None}
    rate, scores = stream.point.result.rate, stream.point.result.scores
    return {
        "curve": stream.curve,
        "label": curves[stream.curve].label,
        "setting": stream.point.setting,
        "bytes": rate.file_bytes,
        "bpp": rate.bpp,
        "psnr": [_finite(scores.psnr_rgb_per_frame[frame]) for frame in album.frames],
        "mean": _finite(scores.psnr_rgb),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def comparator_section(albums: Sequence[Album], curves: Sequence[Curve]) -> Markup:
    """The comparator for the screen and the contact sheets for paper."""
    sheets = tag("div", *(_sheet(number, album, curves) for number, album in enumerate(albums)), class_="sheets")
    return join([_panel(), sheets])


def _panel() -> Markup:
    controls = [
        _labelled("Video", tag("select", data_part="video")),
        _labelled("Rate", tag("select", data_part="level")),
        _labelled("Left", tag("select", data_part="left")),
        _labelled("Right", tag("select", data_part="right")),
    ]
    stage = tag(
        "div",
        tag("canvas"),
        tag("canvas", class_="over"),
        tag("div", class_="edge"),
        tag("b", class_="left"),
        tag("b", class_="right"),
        class_="stage",
        role="img",
    )
    divider = tag("input", type="range", min=0, max=100, value=50, data_part="at")
    scrubber = tag("input", type="range", min=0, max=0, value=0, data_part="frame")
    under = [
        _labelled("Divider between left and right", divider),
        tag("label", "Shown: ", tag("output", data_part="frame-number"), scrubber),
    ]
    body = tag("div", *controls, class_="controls"), _views(), stage, tag("div", *under, class_="under"), _readout()
    return tag("div", *body, class_="comparator")


def _labelled(words: str, control: Markup) -> Markup:
    return tag("label", words, control)


def _views() -> Markup:
    """Whether the pictures or their difference are shown, and how amplified."""
    buttons = [
        tag("label", tag("input", type="radio", name="view", value=value, checked=value == "slider"), tag("span", word))
        for value, word in (("slider", "Pictures"), ("difference", "Difference"))
    ]
    gains = [tag("option", f"× {gain}", value=gain, selected=gain == 8) for gain in _GAINS]
    gain = tag("label", "amplified ", tag("select", *gains, data_part="gain"), class_="gain")
    switch = tag("fieldset", tag("legend", "Show"), *buttons, class_="switch")
    return tag("div", switch, gain, class_="views")


def _readout() -> Markup:
    """The figures of both pictures, and of their difference."""
    head = tag("tr", tag("td"), tag("th", "Left", scope="col"), tag("th", "Right", scope="col"))
    rows = [
        tag("tr", tag("th", words, scope="row"), *(tag("td", data_part=f"{side}-{name}") for side in ("left", "right")))
        for name, words in _ROWS
    ]
    between = tag(
        "tr", tag("th", "Left against right, as shown", scope="row"), tag("td", data_part="between", colspan=2)
    )
    body = tag("thead", head), tag("tbody", *rows, between)
    return tag("table", *body, class_="readout", aria_live="polite")


def _sheet(number: int, album: Album, curves: Sequence[Curve]) -> Markup:
    """Every picture of a video, frame by frame."""
    width, height = album.size

    def figure(at: int, frame: int, which: int, stream: Stream) -> Markup:
        return tag(
            "figure",
            tag(
                "img",
                src=stream.pictures[at],
                width=width,
                height=height,
                id=f"picture-{number}-{which}-{at}",
                alt=_caption(stream, frame, curves),
            ),
            tag("figcaption", _caption(stream, frame, curves)),
        )

    rows = [
        tag("div", *(figure(at, frame, which, stream) for which, stream in enumerate(album.streams)), class_="sheet")
        for at, frame in enumerate(album.frames)
    ]
    return join([tag("h3", album.video), *rows])


def _caption(stream: Stream, frame: int, curves: Sequence[Curve]) -> str:
    if stream.point is None:
        return f"Frame {frame}: source"
    psnr = stream.point.result.scores.psnr_rgb_per_frame[frame]
    quality = f"{psnr:.2f} dB" if math.isfinite(psnr) else "identical"
    name = f"{curves[stream.curve].label}, {stream.point.setting}"
    return f"Frame {frame}: {name}, {bpp(stream.point.result.rate.bpp)} bit/pixel, {quality}"
