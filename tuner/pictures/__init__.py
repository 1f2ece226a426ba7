"""Pictures of fronts, weights, gaps and shares."""
