"""From images and labels to trained weights, computing the frozen part once."""
