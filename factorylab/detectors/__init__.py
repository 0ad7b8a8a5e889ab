"""Detectors: streaming, exact and sequential per sensor, with a small state that travels with the position.

Pure: no Kafka, no database. The processor runs them and the audit replays them; alerts depend on the readings of
each sensor in order and on nothing else, so batch boundaries and rebalances change no alert.
"""
