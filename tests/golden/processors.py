"""Fresh processes that act like lesser processors than this one: NumPy and PyTorch choose their code as they load."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np
import torch

_ROOT: Final = Path(__file__).parents[2]
_AVX512: Final = ("AVX512", "X86_V4")
_AVX2: Final = (*_AVX512, "X86_V3", "AVX2", "FMA3")


def numpy_features() -> dict[str, bool]:
    """Return the instruction sets that NumPy has code of its own for, and whether it uses them."""
    module = import_module("numpy._core._multiarray_umath")
    return {name: module.__cpu_features__[name] for name in module.__cpu_dispatch__}


def _without(prefixes: tuple[str, ...], capability: str, isa: str, core: str, threads: int) -> dict[str, str]:
    # Names differ between NumPy 1.26 (AVX512F, AVX2, ...) and 2.4 (X86_V4, X86_V3, ...), and wrong ones do nothing:
    # these are the ones that this NumPy uses here.
    found = [name for name, used in numpy_features().items() if used and name.startswith(prefixes)]
    return {
        "NPY_DISABLE_CPU_FEATURES": " ".join(found),
        "ATEN_CPU_CAPABILITY": capability,
        "ONEDNN_MAX_CPU_ISA": isa,
        # MKL heeds MKL_ENABLE_INSTRUCTIONS on its maker's processors only, this on all.
        "MKL_CBWR": "COMPATIBLE",
        # NumPy's products are OpenBLAS's, which has its own names, and threads of its own.
        "OPENBLAS_CORETYPE": core,
        "OPENBLAS_NUM_THREADS": str(threads),
        # Inductor's cache does not tell these processors apart, and another one's graphs give wrong numbers.
        "TORCHINDUCTOR_CACHE_DIR": str(Path(tempfile.gettempdir()) / f"inductor-{isa}"),
    }


def processors() -> dict[str, dict[str, str]]:
    """Return the environment variables of each lesser processor, by name."""
    # PyTorch would use AVX2 where it is told to, whether it is there or not.
    has_avx2 = torch.backends.cpu.get_cpu_capability().startswith("AVX")
    return {
        "no AVX-512": _without(_AVX512, "avx2" if has_avx2 else "default", "AVX2", "Haswell", 1),
        "no AVX2": _without(_AVX2, "default", "SSE41", "Nehalem", 2),
    }


def fingerprint(device: str = "cpu") -> str:
    """Return what floating-point functions of NumPy and, on a device, PyTorch give, on which no symbol may rest."""
    x = np.linspace(0, 1, 10_001, dtype=np.float32)
    y = x[:9999].reshape(99, 101)
    z = torch.from_numpy(y).to(device)
    products = (y @ y.T.copy()).astype(np.float64).sum(), float((z @ z.T.contiguous()).double().sum())
    return " ".join(float(value).hex() for value in (np.exp(x).astype(np.float64).sum(), *products))


def run(arguments: Sequence[str], variables: dict[str, str]) -> str:
    """Run Python with these arguments and environment variables, and return what it prints."""
    command = [sys.executable, *arguments]
    paths = [str(_ROOT / "components"), str(_ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))} | variables
    result = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} failed under {variables}:\n{result.stderr}")
    return result.stdout
