"""A secret that must be seen nowhere."""

from __future__ import annotations

PLANTED = "pl4nted-Secret"
