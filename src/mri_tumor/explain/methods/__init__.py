"""Ways to explain, one small module each over the shared core."""
