"""The backend `compose`: nodes as containers of this machine's Docker engine."""
