"""The process that owns every other process of a lab. `python -m factorylab.cluster.supervisor HOME BACKEND`."""
