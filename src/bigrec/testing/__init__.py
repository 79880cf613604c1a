"""Suites of tests for what others add: subclass one and give it what is to be tested."""
