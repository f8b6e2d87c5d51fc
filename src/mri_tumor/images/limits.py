"""Bounds that hold before anything is decoded, so that no file can fill the memory."""

MAX_PIXELS = 2**26
"""Most pixels of one image (8,192 x 8,192; a film scanned at 600 dpi has a third of it)."""

MAX_BYTES = 2**29
"""Most bytes of one file on disk (512 MiB)."""

MAX_VOLUME_BYTES = 2**32
"""Most bytes of a volume once unpacked (4 GiB), which is read slice by slice."""

MAX_PAGES = 4096
"""Most pages, frames or slices of one file, and most files of one series."""

MIN_SIDE = 16
"""Fewest pixels of a side: less than this is an icon and no slice of a head."""
