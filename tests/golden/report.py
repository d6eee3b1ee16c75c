"""Print, as JSON, what every golden file gives under the settings named, and what code this process runs."""

import json
import sys

import torch

from tests.golden.hashes import found, names
from tests.golden.processors import fingerprint, numpy_features
from tests.golden.settings import SETTINGS


def main() -> None:
    hashes = {}
    for name in sys.argv[1:]:
        with SETTINGS[name]():
            hashes[name] = {file: found(file) for file in names()}
    machine = {"numpy": numpy_features(), "torch": torch.backends.cpu.get_cpu_capability(), "floats": fingerprint()}
    print(json.dumps({"machine": machine, "hashes": hashes}))


if __name__ == "__main__":
    main()
