"""Real servers of this machine, started and stopped by whoever needs them: tests and benchmarks."""
