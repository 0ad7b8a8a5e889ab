"""Watching a cluster that somebody else runs, and perhaps breaks: canary records, and what became of them."""
