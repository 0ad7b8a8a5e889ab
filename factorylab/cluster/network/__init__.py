"""Networks of an isolated lab: namespaces, cuts, and who reaches whom."""
