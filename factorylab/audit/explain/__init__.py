"""Why it happened: explanations of what was lost or doubled, and the life of one reading."""
