"""The papers' claims, put to the test: ``make claims`` writes docs/claims.md."""
