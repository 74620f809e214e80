"""One family of problems a file."""
