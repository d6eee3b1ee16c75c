"""What the decoder's package may import, what importing it costs, and what it offers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nvrc_components

PACKAGE = Path(nvrc_components.__file__).parent
ALLOWED = {"torch", "numpy", "einops", "constriction", "typing_extensions", "nvrc_components", *sys.stdlib_module_names}
HEAVY = ("lightning", "compressai", "av", "torchmetrics", "nvrc_lightning", "jsonargparse", "rich")


def imported(path):
    """Yield every module that a file names in an import, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


def test_the_components_import_nothing_that_trains_or_measures():
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 30
    foreign = {
        (str(f.relative_to(PACKAGE)), name) for f in files for name in imported(f) if name.split(".")[0] not in ALLOWED
    }
    assert all(f.startswith("interop/compressai/") and name.startswith("compressai.") for f, name in foreign)
    users = {f for f in files if any(name.startswith("nvrc_components.interop") for name in imported(f))}
    assert {f.relative_to(PACKAGE).parts[0] for f in users} == {"interop"}


def test_constriction_has_one_adapter():
    users = {str(f.relative_to(PACKAGE)) for f in PACKAGE.rglob("*.py") if "constriction" in set(imported(f))}
    assert users == {"coding/range_coder.py"}


def loaded_after(statement):
    """Return the modules that a fresh interpreter has loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    command = [sys.executable, "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True, cwd=PACKAGE.parent).stdout.split())


def test_importing_the_package_or_its_errors_loads_not_even_torch():
    loaded = loaded_after("import nvrc_components, nvrc_components.errors, nvrc_components.video_format")
    assert not loaded & {"torch", "numpy", "constriction", *HEAVY}


def test_everything_public_loads_nothing_heavy():
    loaded = loaded_after("from nvrc_components import *")
    assert {"torch", "constriction", "nvrc_components.bitstream.video_file"} <= loaded
    assert not {name for name in loaded if name.split(".")[0] in HEAVY}


def test_every_public_name_is_there_documented_and_known_to_type_checkers():
    for name in nvrc_components.__all__:
        assert getattr(nvrc_components, name).__doc__, name
    assert set(nvrc_components.__all__) <= set(dir(nvrc_components))
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name for node in block.body for alias in node.names}
    assert typed == set(nvrc_components.__all__)
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        _ = nvrc_components.missing


def test_the_packages_say_that_they_are_typed():
    assert (PACKAGE / "py.typed").is_file()
