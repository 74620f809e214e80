"""What is run and looked at: recipes, the pipeline, training, inspection, report, export and the command line."""
