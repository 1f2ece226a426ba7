"""A study in Python: frames, figures and measurements for notebooks and scripts."""
