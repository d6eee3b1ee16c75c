"""Write a golden file that is missing, and its hashes: `python -m tests.golden.make NAME` from the repository's root.

Files in the world keep their meaning: a hash that no longer fits is a broken decoder, not a golden file out of date.
One that is there is replaced only by `--force`, before it is released. A new format version gets files of its own.
"""

import argparse
import json

from nvrc_components import load, save
from tests.golden.hashes import FILES, of_file, of_video, path_of
from tests.golden.recipes import RECIPES


def make(name: str, force: bool) -> None:
    recipe, path = RECIPES[name], path_of(name)
    save(recipe.network(), recipe.format, path, recipe.colour, force)
    hashes = {**of_file(path.read_bytes()), **of_video(load(path))}
    (FILES / f"{name}.json").write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")
    print(f"{path.name}: {hashes['bytes']} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--force", action="store_true")
    options = parser.parse_args()
    make(options.name, options.force)
