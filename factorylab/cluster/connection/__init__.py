"""How a client connects to a cluster that is not the lab's own: a `.properties` file becomes a client's settings."""
