"""What can be asked of a teacher: one task a file, named by its file (the contract is `synth.task`)."""
