"""Hostile files for everything that reads files: study and trial files, weights, data, records."""
