"""Compiled loops: a detector's rule, written for one reading after the other, at the speed of machine code.

Batches are small and sensors many, so whole arrays at a time would mean a handful of readings at a time. A loop in the
order of the log is exact by itself: where batches begin and end cannot matter. The compiler keeps to IEEE arithmetic in
the order in which it is written; it reorders and fuses nothing.

What is compiled is kept: beside the source where that can be written to, else in the user's cache folder, or where
NUMBA_CACHE_DIR says. A read-only image brings it along in the folder COMPILED_DETECTORS, made when the image was built.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Returned = TypeVar("Returned")

if brought := os.environ.get("COMPILED_DETECTORS"):
    shutil.copytree(brought, os.environ["NUMBA_CACHE_DIR"], dirs_exist_ok=True)

import numba  # noqa: E402 (it reads NUMBA_CACHE_DIR when it is imported)

numba.config.DISABLE_JIT = 0  # type: ignore[attr-defined]  # whatever the shell says: plain Python does not know the fields of a state


def compiled(function: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """`function`, compiled when it is first called. Division by zero gives infinity, as in numpy."""
    made: Callable[Given, Returned] = numba.njit(cache=True, error_model="numpy", fastmath=False)(function)
    return made
