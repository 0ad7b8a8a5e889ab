"""The store: tables, transactions and positions in PostgreSQL."""
