"""Whether a study can run, on this machine or on every node of a cluster."""
