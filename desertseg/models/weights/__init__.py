"""Foreign checkpoints into our networks: every tensor exactly once, or a message and nothing changed."""
