"""Say where in an image the evidence for a class lies, and how far to trust that."""
