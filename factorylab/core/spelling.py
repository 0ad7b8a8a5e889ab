"""Texts of a fixed form. What does not fit is refused in words: no error shows a regular expression."""

from __future__ import annotations

import re

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError


def matching(pattern: str, words: str) -> AfterValidator:
    """For a text field: the whole text must match `pattern`; `words` say so to a person, after "must be"."""

    def check(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise PydanticCustomError("spelling", "must be {words}", {"words": words})
        return text

    return AfterValidator(check)


NAME = matching(r"[a-z][a-z0-9_]*", "lower-case letters, digits and '_', with a letter first")
