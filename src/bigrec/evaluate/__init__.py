"""Numbers: errors of a run on the test side, baselines, comparison."""
