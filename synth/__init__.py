"""How examples are made: teachers, tasks, verifiers, the reply log, and the stage that joins them."""
