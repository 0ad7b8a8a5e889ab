"""What a fault will cost, computed before it happens from the settings in force: an interval for each phase and for the
whole, with its formula, its inputs and their sources. Nothing is asked of a cluster, and nothing of a run is read.
"""
