"""Everything a user runs or looks at: recipes, the pipeline, training, inspection, reports, export and the command line."""
