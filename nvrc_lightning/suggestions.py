"""What somebody may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x' or 'y'?`` with the closest of the known words, or nothing if none is close."""
    matches = get_close_matches(word, sorted(set(known)), n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""
