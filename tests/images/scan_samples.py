"""Small valid files of every kind, made in memory: for the tests and the fuzzers."""

import gzip
import io

import nibabel
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
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


def enhanced(frames):
    """Write an enhanced MR image: what belongs to a frame stands in functional groups."""

    def item(**groups):
        made = Dataset()
        for name, tags in groups.items():
            inner = Dataset()
            for tag, value in tags.items():
                setattr(inner, tag, value)
            setattr(made, name, Sequence([inner]))
        return made

    shared = item(
        PixelMeasuresSequence={"PixelSpacing": [1.0, 0.5], "SpacingBetweenSlices": 3.0},
        PlaneOrientationSequence={"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]},
    )
    rescale = {"RescaleSlope": 2.0, "RescaleIntercept": 0.0, "RescaleType": "US"}
    own = [
        item(
            PixelValueTransformationSequence=rescale,
            FrameVOILUTSequence={"WindowCenter": 842 * (at + 1), "WindowWidth": 1685},
        )
        for at in range(len(frames))
    ]
    return dicom(
        frames,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.4.1",
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(own),
    )


def table(values, bits=8, first=0):
    """Make a lookup table, as a sequence."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(values), first, bits])
    item.add_new("LUTData", "US", [int(value) for value in values])
    return Sequence([item])


def palette():
    """Make the tags of a palette of 256 colours."""
    tags = {"PhotometricInterpretation": "PALETTE COLOR"}
    colours = {"Red": np.arange(256), "Green": np.arange(256)[::-1], "Blue": np.zeros(256)}
    for name, values in colours.items():
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 8]
        tags[f"{name}PaletteColorLookupTableData"] = bytes(values.astype(np.uint8))
    return tags


def pages(kind, count=3, **options):
    """Write a file of several pages or frames."""
    images = [Image.fromarray(ramp() // (at + 1)) for at in range(count)]
    return saved(images[0], kind, save_all=True, append_images=images[1:], **options)


def samples():
    """Valid files by reader and kind, for the fuzzers."""
    deep = ramp(dtype=np.uint16) * 9
    stack = np.stack([deep, deep + 40, deep + 90])
    volume = np.arange(20 * 24 * 18, dtype=np.int16).reshape(20, 24, 18)
    colour = np.stack([ramp(), ramp() // 2, 255 - ramp()], axis=-1)
    window = {"WindowCenter": 400, "WindowWidth": 600}
    turned = Image.Exif()
    turned[274] = 6
    painted = Image.fromarray(colour).convert("P", palette=Image.Palette.ADAPTIVE)
    clear = Image.fromarray(colour).convert("RGBA")
    clear.putalpha(Image.fromarray(ramp()))
    coloured = np.zeros((20, 24, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    big = nibabel.Nifti1Header(endianness=">")
    big.set_data_dtype(">i2")
    table_of = table(np.arange(256)[::-1])
    return {
        "png": [
            saved(ramp(), "PNG"),
            saved(deep, "PNG"),
            saved(colour, "PNG", exif=turned),
            saved(painted, "PNG", transparency=3),
            saved(clear, "PNG"),
            pages("PNG"),
        ],
        "jpeg": [
            saved(ramp(), "JPEG"),
            saved(colour, "JPEG", exif=turned),
            saved(ramp(), "JPEG", progressive=True),
            saved(Image.fromarray(colour).convert("CMYK"), "JPEG"),
        ],
        "tiff": [
            saved(ramp(), "TIFF", exif=turned),
            saved(deep, "TIFF", compression="tiff_lzw"),
            saved(ramp(dtype=np.float32), "TIFF", compression="tiff_adobe_deflate"),
            saved(colour, "TIFF", compression="jpeg"),
            saved(painted, "TIFF", compression="packbits"),
            pages("TIFF"),
        ],
        "bmp": [saved(ramp(), "BMP"), saved(colour, "BMP"), saved(painted, "BMP")],
        "webp": [
            saved(colour, "WebP"),
            saved(clear, "WebP", lossless=True, exif=turned),
            pages("WebP"),
        ],
        "gif": [saved(ramp(), "GIF"), saved(painted, "GIF", transparency=3), pages("GIF")],
        "dicom": [
            dicom(deep, "explicit", **window),
            dicom(deep, "implicit", RescaleSlope=2, RescaleIntercept=-5, PixelSpacing=[1, 2]),
            dicom(deep, "deflated"),
            dicom(deep, "big endian", PhotometricInterpretation="MONOCHROME1"),
            dicom(stack, "explicit", VOILUTFunction="SIGMOID", **window),
            dicom(colour, "explicit"),
            dicom(deep.astype(np.int16) - 400, PixelPaddingValue=-400),
            dicom(ramp(), VOILUTSequence=table_of, ModalityLUTSequence=table_of),
            dicom(ramp(), **palette()),
            enhanced(stack),
        ],
        "dicom-packed": [
            dicom(ramp(), "JPEG"),
            dicom(deep, "JPEG lossless"),
            dicom(deep, "JPEG 2000"),
            dicom(deep, "RLE"),
            dicom(stack, "RLE"),
            dicom(stack, "JPEG 2000"),
            dicom(colour, "JPEG 2000", PhotometricInterpretation="RGB"),
        ],
        "nifti": [
            nifti(volume),
            nifti(volume.astype(np.float32)),
            nifti(volume, kind=nibabel.Nifti2Image),
            nifti(np.stack([volume, volume], axis=-1)),
            nifti(volume, np.diag([-1, 2, 3, 1]), header=big),
            nifti(coloured),
        ],
        "nifti-gz": [nifti(volume, packed=True), nifti(volume.astype(np.float32), packed=True)],
    }
