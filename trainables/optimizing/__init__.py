"""How weights move: optimisers, batches in parts, averages, perturbations, when to stop."""
