"""What a study found, counted and compared."""
