"""Class names as this field writes them, and the ones this library uses."""

NEGATIVE = "notumor"
UNKNOWN_TUMOR = "tumor"
BINARY = ("notumor", "tumor")
FOUR = ("glioma", "meningioma", "notumor", "pituitary")
