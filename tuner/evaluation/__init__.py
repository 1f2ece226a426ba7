"""Measuring a network against attacks and radii."""
