"""Removes from cargo's registry what no cell is compiled with.

    keep_crates.py REGISTRY LOCK_FILE

The kernel was built from more crates than the template needs; their sources are not looked at again.
"""

import pathlib
import re
import shutil
import sys

registry, lock = map(pathlib.Path, sys.argv[1:])
packages = re.findall(r'name = "(.+)"\nversion = "(.+)"', lock.read_text())
kept = {f"{name}-{version}" for name, version in packages}
removed = 0
for source in registry.glob("src/*/*"):
    if source.is_dir() and source.name not in kept:
        shutil.rmtree(source)
        removed += 1
for archive in registry.glob("cache/*/*.crate"):
    if archive.stem not in kept:
        archive.unlink()
print(f"{removed} crates were removed, {len(kept)} are in {lock}")
