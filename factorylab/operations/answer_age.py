"""When an answer is too old to be that of now; for terminal and page alike."""

STALE_S = 2.5


def fresh(age_s: float | None) -> bool:
    """None: there was no answer yet."""
    return age_s is not None and age_s <= STALE_S
