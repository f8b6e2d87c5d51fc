"""Images in any form become one sequence."""

import numpy as np
import pytest
from PIL import Image

from mri_tumor.errors import ImageError
from mri_tumor.images.collection import as_collection, prepared_batches
from mri_tumor.images.preprocessing import Preprocessing


@pytest.fixture
def files(tmp_path):
    paths = []
    for i in range(5):
        image = np.zeros((40, 40), dtype=np.uint8)
        image[10:30, 10 : 20 + i] = 100 + i
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(image).save(paths[-1])
    return paths


def test_files_arrays_and_data_sets_are_the_same_images(files):
    arrays = np.stack([np.asarray(Image.open(path)) for path in files])
    from_files = as_collection(files)
    from_array = as_collection(arrays)
    from_list = as_collection([np.repeat(image[..., None], 3, axis=2) for image in arrays])
    for i in range(5):
        np.testing.assert_array_equal(from_files.read(i), arrays[i])
        np.testing.assert_array_equal(from_array.read(i), arrays[i])
        np.testing.assert_allclose(from_list.read(i), arrays[i], atol=1)


def test_one_path_is_one_image(files):
    assert as_collection(str(files[0])).names == (str(files[0]),)


@pytest.mark.parametrize("images", [[], np.zeros((0, 20, 20), np.uint8), 7, [7]])
def test_what_is_no_image_is_refused_by_the_arguments_name(images):
    with pytest.raises(ImageError, match="scans"):
        as_collection(images, name="scans")


def test_batches_keep_the_order_and_report_what_cannot_be_read(files):
    files[2].write_bytes(b"")
    settings = Preprocessing(size=16)
    batches = list(prepared_batches(as_collection(files), settings, batch_size=2))
    assert [batch.indices for batch in batches] == [(0, 1), (3,), (4,)]
    assert list(batches[1].errors) == [2]
    assert "2.png" in str(batches[1].errors[2])
    assert batches[0].values.shape == (2, 16, 16, 3)


def test_reading_ahead_is_bounded(files):
    reads = []
    images = as_collection(files * 20)

    class Counting(type(images)):
        def read(self, index):
            reads.append(index)
            return super().read(index)

    stream = prepared_batches(Counting(images.names), Preprocessing(size=16), batch_size=4)
    next(stream)
    assert max(reads) < 2 * 4
    stream.close()
