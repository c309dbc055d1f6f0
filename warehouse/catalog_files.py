"""The four files of a catalog on disk: ``categories``, ``grids``, ``packages`` and ``grid_packages``, each ``.csv`` or ``.parquet``."""

from __future__ import annotations

from pathlib import Path

from transforms.catalog import Catalog


def load_catalog(folder: Path) -> Catalog:
    """Read and check the catalog in ``folder``; raises InvalidCatalog with every mistake of all four files."""
    raise NotImplementedError(folder)
