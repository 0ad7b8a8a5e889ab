"""A processor, a member of the group that checks, scores, stores (`python -m factorylab.factory.processor`)."""
