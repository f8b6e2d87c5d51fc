"""Archives are scored part by part: the rows of `predict`, whatever is killed, by any engine."""

import io
import json
import os
import signal
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mri_tumor import make_phantoms, runtime
from mri_tumor.errors import BundleError, CheckpointError, ImageError, ParameterError
from mri_tumor.images.scans import find_scans
from mri_tumor.scale import places, score_dataset, scoring
from mri_tumor.scale.manifest import Manifest
from mri_tumor.scale.parts import Part, find_parts
from mri_tumor.scale.places import list_url, read_url


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def pictures():
    """Seven slices as PNG by their names; one is damaged, one is no brain."""
    made = {
        f"scan-{i}.png": png(image) for i, image in enumerate(make_phantoms(5, size=96).images)
    }
    made["noise.png"] = png(np.random.default_rng(0).integers(0, 256, (96, 96), dtype=np.uint8))
    made["broken.png"] = made["scan-0.png"][:200]
    return made


@pytest.fixture
def archive(tmp_path, pictures):
    for at, (name, data) in enumerate(pictures.items()):
        path = tmp_path / "archive" / f"patient-{at % 3}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "archive"


def table(folder):
    """Read the rows of all parts in order."""
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])


def rows(folder):
    return table(folder).to_pylist()


def answers(folder):
    """Return what the rows say, by the last piece of each name."""
    return {
        row["file"].rpartition("/")[2]: (row["status"], row["label"], row["tumor_probability"])
        for row in rows(folder)
    }


@pytest.fixture
def scored(archive, tmp_path):
    """The archive, scored in this process."""
    score_dataset(archive, tmp_path / "plain", part_size=2)
    return tmp_path / "plain"


def test_rows_are_those_of_predict(archive, scored):
    wanted = [row for one in runtime.load().assess_scans(find_scans([archive])) for row in one]
    found = rows(scored)
    assert [row["file"] for row in found] == [row["file"] for row in wanted]
    for one, other in zip(found, wanted, strict=True):
        for name in ("label", "tumor_probability", "status", "message"):
            assert one[name] == other[name]
        if other["probabilities"]:
            assert one["p_notumor"] == other["probabilities"]["notumor"]
    assert table(scored).column_names == [
        "file", "kind", "slice", "label", "tumor_probability", "p_glioma", "p_meningioma",
        "p_notumor", "p_pituitary", "status", "message", "model_sha256",
    ]  # fmt: skip
    assert {row["status"] for row in found} >= {"ok", "error"}
    assert len({row["model_sha256"] for row in found}) == 1


def test_a_finished_run_says_so(scored):
    run = json.loads((scored / "_run.json").read_text())
    lines = [json.loads(line) for line in (scored / "_manifest.jsonl").read_text().splitlines()]
    assert (run["parts"], run["rows"]) == (4, 7)
    assert [line["rows"] for line in lines] == [2, 2, 2, 1]
    assert sum(sum(line["counts"].values()) for line in lines) == 7
    assert "finished" in run
    assert not [path for path in scored.iterdir() if path.name.startswith(".")]


class KilledError(BaseException):
    pass


@pytest.mark.parametrize("survived", [0, 1, 3])
def test_a_killed_run_goes_on(archive, scored, tmp_path, monkeypatch, survived):
    output = tmp_path / "killed"
    real, done = scoring.Scorer.__call__, []

    def until_killed(self, part):
        if len(done) == survived:
            raise KilledError
        done.append(part.number)
        return real(self, part)

    with monkeypatch.context() as patch:
        patch.setattr(scoring.Scorer, "__call__", until_killed)
        with pytest.raises(KilledError):
            score_dataset(archive, output, part_size=2)
    # What a kill leaves between a part and its line, and within a line.
    (output / f"part-{survived:08d}.parquet").write_bytes(b"half of a part")
    with (output / "_manifest.jsonl").open("ab") as file:
        file.write(b'{"part": 3, "file": "part-')
    with pytest.raises(CheckpointError, match="was begun already"):
        score_dataset(archive, output, part_size=2)
    report = score_dataset(archive, output, part_size=2, resume=True)
    assert (report.resumed, report.parts, report.rows) == (survived, 4, 7)
    assert table(output).equals(table(scored))
    # And a finished run has nothing to do.
    assert score_dataset(archive, output, part_size=2, resume=True).resumed == 4


def test_a_removed_part_is_done_again(archive, scored):
    before = table(scored)
    (scored / "part-00000001.parquet").unlink()
    assert score_dataset(archive, scored, part_size=2, resume=True).resumed == 3
    assert table(scored).equals(before)


def test_another_run_is_not_gone_on_with(archive, scored, pictures):
    with pytest.raises(CheckpointError, match=r"begun with threshold None, and now it is 0\.5"):
        score_dataset(archive, scored, part_size=2, threshold=0.5, resume=True)
    (archive / "patient-0" / "a-new-one.png").write_bytes(pictures["scan-0.png"])
    with pytest.raises(CheckpointError, match="part 0 held other files"):
        score_dataset(archive, scored, part_size=2, resume=True)


def test_a_folder_of_something_else_is_left_alone(archive, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match=r"holds 'thesis\.txt'"):
        score_dataset(archive, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_two_runs_do_not_write_to_one_output(archive, tmp_path):
    settings = {"model_sha256": "0"}
    with Manifest(tmp_path / "out", settings), pytest.raises(CheckpointError, match="another run"):
        score_dataset(archive, tmp_path / "out", resume=True)


def test_the_damaged_manifest_is_named(archive, scored):
    (scored / "_manifest.jsonl").write_bytes(b"[]\n")
    with pytest.raises(CheckpointError, match=r"manifest\.jsonl: is damaged"):
        score_dataset(archive, scored, part_size=2, resume=True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"engine": "spark"}, "engine: must be 'ray' or None"),
        ({"part_size": 0}, "part_size: must be 1 or more"),
        ({"workers": 0}, "workers: must be 1 or more"),
        ({"threshold": 2.0}, "threshold: must be from 0 to 1"),
    ],
)
def test_arguments_out_of_range_are_named(archive, tmp_path, wrong, message):
    with pytest.raises(ParameterError, match=message):
        score_dataset(archive, tmp_path / "out", **wrong)


def test_outputs_that_cannot_be_are_refused(archive, tmp_path):
    with pytest.raises(ParameterError, match="lies within the input"):
        score_dataset(archive, archive / "scores")
    with pytest.raises(ParameterError, match="must be a folder"):
        score_dataset(archive, "s3://bucket/scores")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="there is no image in it"):
        score_dataset(tmp_path / "empty", tmp_path / "out")


# -- sources ----------------------------------------------------------------------------------


def test_tar_shards_give_the_same_answers(tmp_path, pictures, scored):
    for suffix, mode in ((".tar", "w"), (".tar.gz", "w:gz")):
        path = tmp_path / "shards" / f"one{suffix}"
        path.parent.mkdir(exist_ok=True)
        with tarfile.open(path, mode) as shard:
            for name, data in {**pictures, "notes.json": b"{}", ".hidden.png": b""}.items():
                member = tarfile.TarInfo(f"deep/{name}")
                member.size = len(data)
                shard.addfile(member, io.BytesIO(data))
            link = tarfile.TarInfo("link.png")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            shard.addfile(link)
    report = score_dataset(tmp_path / "shards", tmp_path / "out")
    assert (report.parts, report.rows) == (2, 14)
    assert answers(tmp_path / "out") == answers(scored)
    assert rows(tmp_path / "out")[0]["file"].startswith(str(tmp_path / "shards" / "one.tar"))


def test_a_truncated_shard_keeps_the_rows_before_the_damage(tmp_path, pictures):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as shard:
        for name, data in list(pictures.items())[:3]:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
    whole = buffer.getvalue()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 3])
    report = score_dataset(tmp_path / "cut.tar", tmp_path / "out")
    found = rows(tmp_path / "out")
    assert report.counts["error"] == 1
    assert len(found) > 1
    assert "is a tar shard that is damaged" in found[-1]["message"]


@pytest.mark.parametrize("form", ["bytes", "struct", "nameless"])
def test_parquet_shards_give_the_same_answers(tmp_path, pictures, scored, form):
    names, data = list(pictures), list(pictures.values())
    columns = {
        "bytes": {"file": names, "bytes": data},
        "struct": {"image": [{"bytes": d, "path": n} for n, d in pictures.items()]},
        "nameless": {"image": data, "year": [2020] * len(data)},
    }[form]
    pq.write_table(pa.table(columns), tmp_path / "shard.parquet", row_group_size=3)
    score_dataset(tmp_path / "shard.parquet", tmp_path / "out")
    found = answers(tmp_path / "out")
    if form == "nameless":
        assert list(found) == [str(i) for i in range(len(names))]
        assert list(found.values()) == [answers(scored)[name] for name in names]
    else:
        assert found == answers(scored)


def test_a_parquet_list_of_paths_is_followed(tmp_path, archive, scored):
    paths = [str(path) for path in sorted(archive.rglob("*.png"))]
    pq.write_table(pa.table({"path": [*paths, "missing.png", None]}), tmp_path / "list.parquet")
    score_dataset(tmp_path / "list.parquet", tmp_path / "out")
    found = rows(tmp_path / "out")
    assert found[: len(paths)] == rows(scored)
    assert [row["status"] for row in found[len(paths) :]] == ["error", "error"]


def test_a_shard_that_is_none_is_one_row(tmp_path):
    pq.write_table(pa.table({"age": [3]}), tmp_path / "ages.parquet")
    (tmp_path / "text.tar").write_text("no tar")
    report = score_dataset(
        [tmp_path / "ages.parquet", tmp_path / "text.tar", tmp_path / "gone.tar"], tmp_path / "out"
    )
    assert report.counts == {"error": 3}
    assert "has no column for images" in rows(tmp_path / "out")[0]["message"]


def test_urls_are_read_by_fsspec(pictures, scored, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for name, data in {**pictures, "readme.txt": b"no image"}.items():
        memory.pipe(f"/bucket/deep/{name}", data)
    try:
        score_dataset("memory://bucket", tmp_path / "folder", part_size=3)
        score_dataset("memory://bucket/deep/scan-*.png", tmp_path / "pattern")
        report = score_dataset("memory://bucket/deep/none.png", tmp_path / "missing")
    finally:
        memory.rm("/bucket", recursive=True)
    assert answers(tmp_path / "folder") == answers(scored)
    assert rows(tmp_path / "folder")[0]["file"] == "memory:///bucket/deep/broken.png"
    assert len(rows(tmp_path / "pattern")) == 5
    assert report.counts == {"error": 1}


def test_files_of_an_archive_or_a_host_keep_it_in_their_names(pictures, tmp_path, monkeypatch):
    pytest.importorskip("fsspec")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        for name, data in pictures.items():
            file.writestr(f"inner/{name}", data)
    within = f"::file://{tmp_path}/all.zip"
    for url in (f"zip://{within}", f"zip://inner{within}", f"zip://inner/*.png{within}"):
        found = list(list_url(url, shards=frozenset()))
        assert found == [f"zip://inner/{name}{within}" for name in sorted(pictures)]
        assert [read_url(one) for one in found] == [pictures[name] for name in sorted(pictures)]
    # A cache in front of a folder, and a server whose names lack its own.
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.png").write_bytes(pictures["noise.png"])
    url = f"simplecache::file://{tmp_path}/folder"
    (found,) = list_url(url, shards=frozenset())
    assert found == f"{url}/a.png"
    assert read_url(found) == pictures["noise.png"]

    class Server:
        protocol = ("sftp", "ssh")

        def isdir(self, path):
            return path == "/data"

        def ls(self, path, detail):
            return [{"name": "/data/a.png", "type": "file"}]

    monkeypatch.setattr(places, "_system", lambda _url: (Server(), "/data"))
    assert list(list_url("ssh://me@host:22/data", shards=frozenset())) == [
        "ssh://me@host:22/data/a.png"
    ]


def test_a_mistyped_input_leaves_the_output_free(archive, scored, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError):
        score_dataset(tmp_path / "empty", tmp_path / "out", part_size=2)
    assert score_dataset(archive, tmp_path / "out", part_size=2).rows == 7
    assert table(tmp_path / "out").equals(table(scored))


# -- parts ------------------------------------------------------------------------------------


def names(folder, **settings):
    return [part.names for part in find_parts([str(folder)], **settings)]


def test_parts_are_cut_by_number(archive):
    found = list(find_parts([str(archive)], size=3))
    assert [len(part.names) for part in found] == [3, 3, 1]
    assert [part.number for part in found] == [0, 1, 2]
    assert len({part.fingerprint for part in found}) == 3
    assert [Part.from_json(part.to_json()) for part in found] == found


def test_slices_of_one_folder_stay_together(tmp_path):
    for place, count in (("a", 3), ("b", 5)):
        (tmp_path / place).mkdir()
        for i in range(count):
            (tmp_path / place / f"{i}.dcm").write_bytes(b"")
    assert [len(part) for part in names(tmp_path, size=2)] == [3, 5]


def test_links_out_of_an_archive_are_told(tmp_path, archive, pictures):
    (tmp_path / "elsewhere.png").write_bytes(pictures["scan-0.png"])
    (archive / "link.png").symlink_to(tmp_path / "elsewhere.png")
    report = score_dataset(archive, tmp_path / "out")
    assert report.n_left_out == 1
    assert report.left_out[0].endswith("link.png: is a link out of the folder")


# -- Ray --------------------------------------------------------------------------------------


@pytest.fixture
def _ray():
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'mri-tumor[ray]'")


# Ray leaves sockets and files of its own to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.usefixtures("_ray")
class TestRay:
    def test_ray_gives_the_same_rows_and_goes_on_where_another_engine_was(
        self, archive, scored, tmp_path
    ):
        output = tmp_path / "ray"
        report = score_dataset(archive, output, engine="ray", workers=2, part_size=2)
        assert (report.rows, report.parts) == (7, 4)
        assert table(output).equals(table(scored))
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"

    @pytest.mark.slow
    def test_killed_actors_cost_no_row_and_give_none_twice(self, pictures, tmp_path, monkeypatch):
        for i in range(60):
            path = tmp_path / "many" / f"{i:03d}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(list(pictures.values())[i % len(pictures)])
        killed = []
        real = Manifest.commit

        def commit(self, scored):
            if len(killed) < 2:
                killed.append(scored.worker)
                os.kill(scored.worker, signal.SIGKILL)
            return real(self, scored)

        with monkeypatch.context() as patch:
            patch.setattr(Manifest, "commit", commit)
            score_dataset(
                tmp_path / "many", tmp_path / "ray", engine="ray", workers=2, part_size=3
            )
        assert len(killed) == 2
        score_dataset(tmp_path / "many", tmp_path / "plain", part_size=3)
        assert table(tmp_path / "ray").equals(table(tmp_path / "plain"))

    @pytest.mark.slow
    def test_a_machine_with_another_model_is_refused(self, archive, tmp_path, monkeypatch):
        real = scoring.describe_model
        monkeypatch.setattr(scoring, "describe_model", lambda name: (real(name)[0], "0" * 64))
        with pytest.raises(BundleError, match="is another model on this machine"):
            score_dataset(archive, tmp_path / "out", engine="ray", workers=1)

    @pytest.mark.slow
    def test_errors_of_the_listing_arrive_as_they_are(self, archive, scored, pictures):
        (archive / "patient-0" / "a-new-one.png").write_bytes(pictures["scan-0.png"])
        with pytest.raises(CheckpointError, match="part 0 held other files"):
            score_dataset(archive, scored, part_size=2, resume=True, engine="ray", workers=1)
