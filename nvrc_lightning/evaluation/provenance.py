"""What stands beside every figure: versions, machine, memory and commit."""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch

__all__ = ["Machine", "git_commit", "library_versions", "peak_memory_mib"]

_PACKAGES = ("torch", "lightning", "numpy", "constriction", "av", "nvrc-lightning")


@dataclass(frozen=True)
class Machine:
    """Where something was measured.

    Args:
        device: "cpu", or the name of the accelerator.
        cpu: model of the processor.
        cores: processors this process may use.
        threads: threads torch used.
        system: operating system and architecture.
    """

    device: str
    cpu: str
    cores: int
    threads: int
    system: str

    @classmethod
    def describe(cls, device: torch.device | str = "cpu") -> "Machine":
        """This machine, with the device that did the work."""
        device = torch.device(device)
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        system = f"{platform.system()} {platform.machine()}"
        return cls(name, _cpu_model(), cores, torch.get_num_threads(), system)


def _cpu_model() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def library_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide results; one that is not installed is left out."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def git_commit() -> str | None:
    """Commit of the checkout this package runs from, "-dirty" behind it if files were changed; else None."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        # An installed copy may lie inside a repository that has nothing to do with it.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return None


def peak_memory_mib(device: torch.device | str = "cpu") -> float | None:
    """Most memory this process has held at once, in MiB: on the accelerator, or in RAM for the CPU.

    None where the system does not tell.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
