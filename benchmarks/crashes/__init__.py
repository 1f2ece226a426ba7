"""Killing a study at every moment, and seeing that nothing is lost; see docs/reliability.md."""
