"""Synthesis of examples: teachers, tasks, verifiers, the reply log, and the stage that joins them."""
