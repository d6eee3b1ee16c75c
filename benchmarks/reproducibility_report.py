"""The page of results of the reproducibility benchmark."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from nvrc_lightning.evaluation.provenance import Machine, git_commit, library_versions

_CACHE: Final = "TORCHINDUCTOR_CACHE_DIR"  # tells nothing of the processor
PAGE: Final = """# Symbols are the same everywhere

{command}; {machine}.

An *environment* is a fresh process: a processor under a setting. There are {environments}. A file for each entropy
model is encoded once, by one process on this processor as it is, and decoded in every environment, where its symbols
are then encoded again. *Distinct* symbols are those of the file, each counted once. *Decoded* symbols are the distinct
ones times the environments: the same symbols once in each environment, not as many different ones.

{decoded} symbols decoded ({distinct} of all models in each of {environments} environments): **{mismatches} mismatch**.
{streams} streams encoded again: **{changed} differ** from the first encoder's. As all environments encode the same
bytes and decode them to the same symbols, what one of them encodes any other decodes.

{models}

The models, each fitted to them, code the parameters of one network: context models its grids, the others all.

Environments, each with the symbols that mismatch, the streams that differ, and the number of the result that
floating-point functions (`exp` by NumPy, matrix products by NumPy and PyTorch) gave in it. There are {floats} different
results: the environments do compute differently, and symbols may not depend on it.

{table}

Where a setting does not say otherwise, PyTorch has its own number of threads ({threads} here), context networks see all
blocks together, mkldnn is on, the default type is float32 and nothing is compiled. "float64", "bfloat16" and "float16"
are default types. Lesser processors are made by environment variables:

{variables}

Each processor has a cache of compiled graphs of its own (TORCHINDUCTOR_CACHE_DIR): PyTorch's (2.15) does not tell these
processors apart, and graphs made for AVX-512 gave another process numbers that are none. Nothing but training is ever
compiled.
"""


@dataclass
class Tally:
    """What was made of one entropy model's streams; in one environment, all symbols are distinct."""

    symbols: int = 0
    mismatches: int = 0
    streams: int = 0
    changed: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass
class Environment:
    """A processor under a setting: the tally of each entropy model, and what floating-point functions gave."""

    tallies: dict[str, Tally]
    floats: str

    @property
    def total(self) -> Tally:
        """The tally of all entropy models."""
        return sum(self.tallies.values(), Tally())


Results = dict[tuple[str, str], Environment]
"""Environments by processor and setting."""


def models_table(results: Results) -> Iterator[str]:
    """Yield the lines of the table of entropy models, over all environments."""
    first, count = next(iter(results.values())), len(results)
    columns = "distinct symbols", "x environments", "= symbols decoded", "mismatching", "streams encoded", "different"
    yield f"| entropy model | {' | '.join(columns)} |"
    yield "|---|---|---|---|---|---|---|"
    for model, one in first.tallies.items():
        t = sum((environment.tallies[model] for environment in results.values()), Tally())
        cells = (one.symbols, count, t.symbols, t.mismatches, t.streams, t.changed)
        yield f"| {model} | {' | '.join(f'{cell:,}' for cell in cells)} |"


def environments_table(results: Results) -> Iterator[str]:
    """Yield the lines of the table of environments: mismatching symbols, differing streams, floats by number."""
    found = list(dict.fromkeys(environment.floats for environment in results.values()))
    names = list(dict.fromkeys(processor for processor, _ in results))
    yield f"| setting | {' | '.join(names)} |"
    yield f"|---|{'---|' * len(names)}"
    cells = {
        key: f"{environment.total.mismatches:,}, {environment.total.changed:,}, {found.index(environment.floats) + 1}"
        for key, environment in results.items()
    }
    for setting in dict.fromkeys(setting for _, setting in results):
        yield f"| {setting} | {' | '.join(cells.get((name, setting), '') for name in names)} |"


def page(command: str, results: Results, processors: Mapping[str, Mapping[str, str]]) -> str:
    """Return the page: machine, commit, command, both tables, and what the processors are made by."""
    machine, versions, commit = Machine.describe(), library_versions(), git_commit() or "unknown"
    packages = ", ".join(f"{name} {versions[name]}" for name in ("torch", "numpy", "constriction"))
    totals = [environment.total for environment in results.values()]
    one, total = totals[0], sum(totals, Tally())
    return PAGE.format(
        command=command,
        machine=f"{machine.cpu}, {machine.cores} cores; {packages}; commit {commit[:9]}{commit[40:]}",
        environments=len(results),
        distinct=f"{one.symbols:,}",
        decoded=f"{total.symbols:,}",
        mismatches=f"{total.mismatches:,}",
        streams=f"{total.streams:,}",
        changed=f"{total.changed:,}",
        floats=len({environment.floats for environment in results.values()}),
        models="\n".join(models_table(results)),
        table="\n".join(environments_table(results)),
        threads=machine.threads,
        variables="\n".join(
            f"* {name}: `{' '.join(f'{key}={value!r}' for key, value in variables.items() if key != _CACHE)}`"
            for name, variables in processors.items()
        ),
    )
