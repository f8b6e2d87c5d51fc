"""Small valid files of every kind, made in memory: for the tests and the fuzzers."""

import gzip
import io

import nibabel
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, generate_uid

SECRET = "SECRETNAME"
"""Stands in every tag that may identify a patient; it must come out nowhere."""

SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big endian": "1.2.840.10008.1.2.2",
    "JPEG": "1.2.840.10008.1.2.4.50",
    "JPEG lossless": "1.2.840.10008.1.2.4.70",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
    "RLE": "1.2.840.10008.1.2.5",
}


def ramp(height=32, width=48, dtype=np.uint8):
    """Slice in which every corner differs, so that each turn shows."""
    rows, columns = np.mgrid[:height, :width]
    return (rows * 3 + columns * 2).astype(dtype)


def saved(image, kind, **options):
    """Write an image by Pillow."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


def mr_dataset(pixels, syntax="explicit", **tags):
    """Make an MR image with a patient's name in it; keyword arguments are tags, None omits."""
    pixels = np.asarray(pixels)
    colour = pixels.ndim >= 3 and pixels.shape[-1] == 3
    shape = pixels.shape[:-1] if colour else pixels.shape
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(SYNTAXES[syntax])
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.4")
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(tags)])
    made = Dataset()
    made.file_meta = meta
    made.SOPClassUID = meta.MediaStorageSOPClassUID
    made.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    made.PatientName = f"{SECRET}^JANE"
    made.PatientID = f"{SECRET}-ID"
    made.PatientBirthDate = "19700101"
    made.InstitutionName = f"{SECRET} HOSPITAL"
    made.SeriesDescription = f"{SECRET} T1"
    made.Modality = "MR"
    made.SeriesInstanceUID = "1.2.3.4"
    made.SeriesNumber = 1
    made.InstanceNumber = 1
    made.SamplesPerPixel = 3 if colour else 1
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        made.PlanarConfiguration = 0
    if len(shape) == 3:
        made.NumberOfFrames = shape[0]
    made.Rows, made.Columns = shape[-2:]
    made.BitsAllocated = pixels.dtype.itemsize * 8
    made.BitsStored = made.BitsAllocated
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    for tag, value in tags.items():
        if value is None:
            del made[tag]
        else:
            setattr(made, tag, value)
    meta.MediaStorageSOPClassUID = made.SOPClassUID
    return made


def dicom(pixels, syntax="explicit", **tags):
    """Write an MR image as DICOM, in one of `SYNTAXES`."""
    pixels = np.asarray(pixels)
    made = mr_dataset(pixels, syntax, **tags)
    if syntax in ("RLE", "JPEG 2000"):
        made.file_meta.TransferSyntaxUID = UID(SYNTAXES["explicit"])
        made.PixelData = pixels.tobytes()
        made["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
        made.compress(UID(SYNTAXES[syntax]), generate_instance_uid=False)
    elif syntax in ("JPEG", "JPEG lossless"):
        frames = pixels if "NumberOfFrames" in made else pixels[None]
        encode = jpeg_lossless if syntax == "JPEG lossless" else _jpeg
        made.PixelData = encapsulate([encode(frame) for frame in frames])
        made["PixelData"].VR = "OB"
        made["PixelData"].is_undefined_length = True
    else:
        swapped = pixels.astype(pixels.dtype.newbyteorder(">" if syntax == "big endian" else "<"))
        data = swapped.tobytes()
        made.PixelData = data + b"\0" * (len(data) % 2)
        made["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
    return written(made)


def written(dataset):
    """Write a dataset as a DICOM file."""
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def _jpeg(pixels):
    return saved(pixels, "JPEG", quality=98)


def jpeg_lossless(pixels):
    """Encode as lossless JPEG (ITU-T T.81, process 14, predictor 1), as many scanners do."""
    pixels = np.asarray(pixels)
    bits = pixels.dtype.itemsize * 8
    height, width = pixels.shape
    values = pixels.astype(np.int64)
    predicted = np.empty_like(values)
    predicted[:, 1:] = values[:, :-1]
    predicted[1:, 0] = values[:-1, 0]
    predicted[0, 0] = 1 << (bits - 1)
    # Differences are taken modulo 2**16.
    differences = ((values - predicted + 2**15) % 2**16 - 2**15).ravel()
    coded = []
    for difference in differences:
        size = int(abs(int(difference))).bit_length()
        # Every size has a code of five bits.
        coded.append(f"{size:05b}")
        if 0 < size < 16:
            low = difference if difference > 0 else difference + (1 << size) - 1
            coded.append(f"{int(low):0{size}b}")
    stream = "".join(coded)
    stream += "1" * (-len(stream) % 8)
    data = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\x00")

    def marker(code, content):
        return bytes([0xFF, code]) + (len(content) + 2).to_bytes(2, "big") + content

    frame = bytes([bits, *height.to_bytes(2, "big"), *width.to_bytes(2, "big"), 1, 1, 0x11, 0])
    counts = bytes([0, 0, 0, 0, 17, *[0] * 11])
    return (
        b"\xff\xd8"
        + marker(0xC3, frame)
        + marker(0xC4, b"\x00" + counts + bytes(range(17)))
        + marker(0xDA, bytes([1, 1, 0, 1, 0, 0]))
        + data
        + b"\xff\xd9"
    )


def nifti(values, affine=None, *, packed=False, header=None, kind=nibabel.Nifti1Image, **fields):
    """Write a NIfTI file; keyword arguments are header fields."""
    image = kind(values, np.eye(4) if affine is None else affine, header)
    for name, value in fields.items():
        image.header[name] = value
    data = image.to_bytes()
    return gzip.compress(data, mtime=0) if packed else data


def samples():
    """Valid files by reader and kind, for the fuzzers."""
    deep = ramp(dtype=np.uint16) * 9
    stack = np.stack([deep, deep + 40, deep + 90])
    volume = np.arange(20 * 24 * 18, dtype=np.int16).reshape(20, 24, 18)
    colour = np.stack([ramp(), ramp() // 2, 255 - ramp()], axis=-1)
    window = {"WindowCenter": 400, "WindowWidth": 600}
    return {
        "png": [saved(ramp(), "PNG"), saved(deep, "PNG"), saved(colour, "PNG")],
        "jpeg": [
            saved(ramp(), "JPEG"),
            saved(colour, "JPEG"),
            saved(ramp(), "JPEG", progressive=True),
            saved(Image.fromarray(colour).convert("CMYK"), "JPEG"),
        ],
        "tiff": [
            saved(ramp(), "TIFF"),
            saved(deep, "TIFF", compression="tiff_lzw"),
            saved(ramp(dtype=np.float32), "TIFF", compression="tiff_adobe_deflate"),
            saved(
                Image.fromarray(ramp()),
                "TIFF",
                save_all=True,
                append_images=[Image.fromarray(ramp())],
            ),
        ],
        "bmp": [saved(ramp(), "BMP"), saved(colour, "BMP")],
        "webp": [saved(colour, "WebP"), saved(colour, "WebP", lossless=True)],
        "gif": [saved(ramp(), "GIF")],
        "dicom": [
            dicom(deep, "explicit", **window),
            dicom(deep, "implicit", RescaleSlope=2, RescaleIntercept=-5),
            dicom(deep, "deflated"),
            dicom(stack, "explicit", VOILUTFunction="SIGMOID", **window),
            dicom(colour, "explicit"),
        ],
        "dicom-packed": [
            dicom(ramp(), "JPEG"),
            dicom(deep, "JPEG lossless"),
            dicom(deep, "JPEG 2000"),
            dicom(deep, "RLE"),
            dicom(stack, "RLE"),
            dicom(colour, "JPEG 2000", PhotometricInterpretation="RGB"),
        ],
        "nifti": [
            nifti(volume),
            nifti(volume.astype(np.float32)),
            nifti(volume, kind=nibabel.Nifti2Image),
            nifti(np.stack([volume, volume], axis=-1)),
        ],
        "nifti-gz": [nifti(volume, packed=True), nifti(volume.astype(np.float32), packed=True)],
    }
