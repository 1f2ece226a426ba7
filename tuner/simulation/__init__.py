"""A study on simulated GPUs, from recorded learning curves."""
