"""Nodes of a cluster that are killed, cut off, taken away with notice, and joined."""
