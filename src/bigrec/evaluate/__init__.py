"""Numbers: errors of a run in the test subset, baselines, comparison."""
