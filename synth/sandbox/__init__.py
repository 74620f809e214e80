"""Running a model's code apart from everything, and judging it by its tests and by mutants."""
