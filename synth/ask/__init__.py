"""Asking teachers: requests, calls, replies, their log, their cost and their pace (the contract is `synth.ask.teacher`)."""
