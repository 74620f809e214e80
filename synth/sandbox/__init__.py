"""Run a model's code in isolation, and judge it by its tests and by mutants."""
