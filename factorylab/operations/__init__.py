"""A lab that stays up: the standing factory, the live view, traces, dead letters."""
