"""The backend `external`: brokers of yours, which are never broken, and PostgreSQL and workers on this machine."""
