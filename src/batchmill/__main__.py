"""`python -m batchmill` is the command `batchmill`."""

from __future__ import annotations

from .cli import main

if __name__ == "__main__":
    main()
