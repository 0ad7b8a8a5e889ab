"""The kinds of fault: each file here but `kind.py` declares one, as KIND. `fault_catalog.py` has them all."""
