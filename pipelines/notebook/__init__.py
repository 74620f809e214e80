"""What `import curation` offers to notebooks and scripts: runs as objects, their tables as polars frames, and single steps on strings."""
