"""How well one colour is read on another, as WCAG 2.2 defines it."""

from __future__ import annotations


def luminance(red: int, green: int, blue: int) -> float:
    """Relative luminance of a colour of sRGB."""
    parts = (part / 255 for part in (red, green, blue))
    r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """From 1 to 21."""
    low, high = sorted((luminance(*one), luminance(*other)))
    return (high + 0.05) / (low + 0.05)
