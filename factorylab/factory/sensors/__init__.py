"""Where readings come from: simulated machines, or a recorded file."""
