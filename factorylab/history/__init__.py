"""What happened: the tables of a run, the journals that fill them, a run's folder, a saved run."""
