"""The report of a study and the frame of every page."""
