"""How good the search is: recorded learning curves, and searches replayed on them."""
