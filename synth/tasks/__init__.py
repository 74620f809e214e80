"""The tasks of teachers: one task per file, named after its file (the contract is `synth.task`)."""
