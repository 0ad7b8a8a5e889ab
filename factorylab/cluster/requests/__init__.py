"""Faults that are requests to the brokers, about what is the run's own."""
