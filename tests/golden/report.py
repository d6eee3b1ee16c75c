"""Print, as JSON, what every golden file gives under every setting of this process, and what code it runs."""

import json

import torch

from tests.golden.hashes import found, names
from tests.golden.processors import fingerprint, numpy_features
from tests.golden.settings import SETTINGS


def main() -> None:
    hashes = {}
    for name, setting in SETTINGS.items():
        with setting():
            hashes[name] = {file: found(file) for file in names()}
    machine = {"numpy": numpy_features(), "torch": torch.backends.cpu.get_cpu_capability(), "floats": fingerprint()}
    print(json.dumps({"machine": machine, "hashes": hashes}))


if __name__ == "__main__":
    main()
