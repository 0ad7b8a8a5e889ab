"""Operating a lab: the standing factory, the live view, traces, dead letters, and whether this machine can run one."""
