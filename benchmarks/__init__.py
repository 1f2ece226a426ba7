"""Measurements: what the papers claim, and how fast things are; no part of the product."""
