"""Scores, results, verification, and conventional codecs to compare with."""
