"""The backend `local`: brokers and PostgreSQL as processes, with the programs and files that they need."""
