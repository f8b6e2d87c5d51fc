"""Synthetic files to give to the app."""

import gzip
import io

import nibabel
import numpy as np
from PIL import Image
from scan_samples import dicom

from mri_tumor.app.samples import sample_scans


def drawn(number=0):
    """Pixels of one of the app's own samples."""
    return next(iter(sample_scans()[number].pictures())).decode()


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def volume(n_slices=6):
    """A NIfTI volume of drawn slices, darker from slice to slice, first and last ones empty."""
    picture = np.array(Image.fromarray(drawn(0)).resize((96, 96))).astype(np.int16)
    body = np.stack([picture * (1 - 0.05 * at) for at in range(n_slices)], axis=-1)
    body[..., [0, -1]] = 0
    # Axial slices are shown with rows from front to back and columns from right to left.
    body = body[::-1, ::-1].transpose(1, 0, 2).astype(np.int16)
    return gzip.compress(nibabel.Nifti1Image(body, np.diag([2.0, 2.0, 4.0, 1.0])).to_bytes())


def series(n_slices=3):
    """DICOM files of one series of drawn slices, by name."""
    pixels = drawn(0).astype(np.uint16) * 4
    return {
        f"IM{at}": dicom(
            pixels + at, InstanceNumber=at + 1, SOPInstanceUID=f"1.2.{at + 1}",
            ImagePositionPatient=[0, 0, 4.0 * at], PixelSpacing=[1, 1],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        )
        for at in range(n_slices)
    }  # fmt: skip
