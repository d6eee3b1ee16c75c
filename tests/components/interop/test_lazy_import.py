"""Who pays for CompressAI: nobody but those who ask for it."""

import pkgutil
import subprocess
import sys
from pathlib import Path

import nvrc_components

PACKAGE = Path(nvrc_components.__file__).parent
MODULES = sorted(module.name for module in pkgutil.walk_packages([str(PACKAGE)], "nvrc_components."))
OURS = [name for name in MODULES if not name.startswith("nvrc_components.interop.")]


def loaded_after(*modules):
    """Return the modules that a fresh interpreter has loaded after importing these."""
    code = f"import sys, {', '.join(modules)}\nprint(*sys.modules)"
    command = [sys.executable, "-W", "ignore", "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True, cwd=PACKAGE.parent).stdout.split())


def test_no_other_module_imports_compressai():
    assert {"nvrc_components.interop", "nvrc_components.bitstream.video_file"} <= set(OURS)
    loaded = loaded_after(*OURS)
    assert set(OURS) <= loaded
    assert not {name for name in loaded if name.split(".")[0] in ("compressai", "lightning", "pytorch_lightning")}


def test_the_layer_itself_does_and_leaves_lightning_alone():
    loaded = loaded_after("nvrc_components.interop.compressai")
    assert "compressai.entropy_models" in loaded
    assert not {name for name in loaded if name.split(".")[0] in ("lightning", "pytorch_lightning", "nvrc_lightning")}
