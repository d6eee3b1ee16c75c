"""Integers in, bytes out: constant tables, the range coder, variable-length integers."""
