"""Files come back as they were written, and are never half written."""

import contextlib
import gc
import hashlib
import resource
import signal
import subprocess
import sys
import textwrap

import fsspec
import matplotlib as mpl
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import torch
from kedro.io import AbstractDataset, DatasetError
from matplotlib.figure import Figure

from unrolled.comparison.records import Card, Chosen, Winner
from unrolled.datasets import (
    CorpusFile,
    Digests,
    FilesOf,
    NpyDataset,
    Row,
    SafetensorsDataset,
    SeriesFile,
    write_files_whole,
)
from unrolled.errors import InputError

mpl.use("Agg")

FRAME = pd.DataFrame({"unique_id": ["a", "b"], "y": [0.1, np.pi], "n": [1, 2]})

# Every kind of file that the catalog writes.
CONTENTS = {
    "pandas.CSVDataset": FRAME,
    "pandas.ParquetDataset": FRAME,
    "json.JSONDataset": {"loss": 0.1 + 0.2, "nested": {"name": "é"}, "none": None},
    "text.TextDataset": "one line\nand another: é",
    "plotly.JSONDataset": go.Figure(go.Scatter(y=[1, 2, 3])),
    "unrolled.pipelines.pictures.PictureFile": Figure(),
    "unrolled.datasets.RecordFile": Chosen(
        variant="gru", seed=1, validation_score=0.1 + 0.2, mean_validation_score=float("nan")
    ),
    "unrolled.datasets.NpyDataset": np.arange(6, dtype=np.float32).reshape(2, 3),
    "unrolled.datasets.SafetensorsDataset": {"w": torch.arange(6.0).reshape(2, 3).T},
}


@pytest.fixture(autouse=True)
def whole_files():
    """Atomic local files, as in every run."""
    write_files_whole()


def dataset(kind, path):
    more = {"record": "unrolled.comparison.records.Chosen"} if kind.endswith("RecordFile") else {}
    return AbstractDataset.from_config("it", {"type": kind, "filepath": str(path), **more})


@contextlib.contextmanager
def full_disk():
    """No file grows beyond five bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# fsspec leaves a file open whose flush fails; the interpreter says so when it closes it.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("kind", CONTENTS)
def test_a_full_disk_leaves_the_old_file_and_nothing_else(kind, tmp_path):
    path = tmp_path / "it"
    path.write_bytes(b"old")
    it = dataset(kind, path)
    with pytest.raises((DatasetError, OSError), match="File too large"), full_disk():
        it.save(CONTENTS[kind])
    gc.collect()  # a file that is dropped unclosed must not appear later
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["it"]


def write(path, mode, size):
    with fsspec.open(str(path), mode) as file:
        file.write("n" * size if mode == "w" else b"n" * size)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("mode", ["wb", "w"])
@pytest.mark.parametrize("size", [100, 1_000_000])  # within the buffer, and beyond
def test_a_full_disk_is_noticed_whenever_the_buffer_is_written(mode, size, tmp_path):
    path = tmp_path / "it"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="File too large"), full_disk():
        write(path, mode, size)
    gc.collect()
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["it"]


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_write_replaces_the_old_file_and_leaves_nothing_else(kind, tmp_path):
    path = tmp_path / "new" / "folder" / "it"
    dataset(kind, path).save(CONTENTS[kind])
    first = path.read_bytes()
    path.write_bytes(b"old")
    dataset(kind, path).save(CONTENTS[kind])
    assert len(path.read_bytes()) == len(first) > 3
    assert [file.name for file in path.parent.iterdir()] == ["it"]


@pytest.mark.parametrize("mode", ["wb", "w"])
def test_an_exception_between_two_writes_leaves_the_old_file(mode, tmp_path):
    path = tmp_path / "it"
    path.write_bytes(b"old")
    chunk = "half" if mode == "w" else b"half"
    with contextlib.suppress(KeyError), fsspec.open(str(path), mode) as file:
        file.write(chunk)
        raise KeyError
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["it"]


def test_a_file_written_while_another_exception_is_handled_is_whole(tmp_path):
    try:
        raise KeyError
    except KeyError:
        with fsspec.open(str(tmp_path / "it"), "wb") as file:
            file.write(b"new")
    assert (tmp_path / "it").read_bytes() == b"new"


def test_a_process_killed_in_the_middle_of_a_write_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "it.bin"
    path.write_bytes(b"old")
    program = """
        import sys, time, fsspec
        from unrolled.datasets import write_files_whole
        write_files_whole()
        with fsspec.open(sys.argv[1], "wb") as file:
            file.write(b"n" * 1_000_000)
            file.flush()
            print("half", flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "half\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"


# --- round trips ---


def round_trip(kind, path, data):
    dataset(kind, path).save(data)
    return dataset(kind, path).load()


def test_a_table_comes_back_from_csv(tmp_path):
    back = round_trip("pandas.CSVDataset", tmp_path / "it.csv", FRAME)
    pd.testing.assert_frame_equal(back, FRAME, check_exact=True)


def test_a_table_comes_back_from_parquet(tmp_path):
    back = round_trip("pandas.ParquetDataset", tmp_path / "it.parquet", FRAME)
    pd.testing.assert_frame_equal(back, FRAME, check_exact=True)


def test_options_come_back_from_json(tmp_path):
    content = CONTENTS["json.JSONDataset"]
    assert round_trip("json.JSONDataset", tmp_path / "it.json", content) == content


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_an_array_comes_back_from_npy_as_a_read_only_map(dtype, tmp_path):
    array = np.array([0, 1, 2, 3], dtype=dtype)
    back = round_trip("unrolled.datasets.NpyDataset", tmp_path / "it.npy", array)
    assert isinstance(back, np.memmap)
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, array)
    with pytest.raises(ValueError, match="read-only"):
        back[0] = 1


def test_an_array_that_is_mapped_can_be_written_again(tmp_path):
    data = NpyDataset(filepath=str(tmp_path / "it.npy"))
    data.save(np.zeros(1000))
    mapped = data.load()
    data.save(np.ones(1000))
    assert (mapped == 0).all()
    assert (data.load() == 1).all()


def test_objects_are_never_pickled(tmp_path):
    data = NpyDataset(filepath=str(tmp_path / "it.npy"))
    with pytest.raises(DatasetError, match="allow_pickle=False"):
        data.save(np.array([{}], dtype=object))
    assert not data.exists()
    np.save(tmp_path / "it.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DatasetError, match="Python objects in dtype"):
        data.load()


def test_weights_come_back_from_safetensors_to_the_bit(tmp_path):
    weights = {
        "a.weight": torch.randn(3, 4),
        "transposed": torch.randn(3, 4).T,
        "scalar": torch.tensor(2.5),
        "steps": torch.tensor([1, 2]),
    }
    kind = "unrolled.datasets.SafetensorsDataset"
    back = round_trip(kind, tmp_path / "it.safetensors", weights)
    assert back.keys() == weights.keys()
    for name, tensor in weights.items():
        assert back[name].dtype == tensor.dtype
        assert torch.equal(back[name], tensor)


@pytest.mark.parametrize("kind", [NpyDataset, SafetensorsDataset, SeriesFile])
def test_a_file_exists_once_it_is_there(kind, tmp_path):
    path = tmp_path / "it.csv"
    assert not kind(filepath=str(path)).exists()
    path.write_bytes(b"x")
    assert kind(filepath=str(path)).exists()


# --- the raw file ---


def read(path):
    return SeriesFile(filepath=str(path)).load()


def refusal(path):
    """The sentence that the user sees: the innermost error."""
    with pytest.raises(DatasetError) as caught:
        read(path)
    assert isinstance(caught.value.__cause__, InputError)
    return str(caught.value.__cause__)


def test_a_file_is_its_bytes_by_its_name(tmp_path):
    (tmp_path / "IT.CSV").write_bytes(b"ds,y\n")
    assert read(tmp_path / "IT.CSV") == {"IT.CSV": b"ds,y\n"}


def test_a_folder_is_its_parquet_parts_by_their_paths(tmp_path):
    for name in ("unique_id=001/part-0.parquet", "unique_id=NA/part-0.PARQUET", "_SUCCESS"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    parts = ["unique_id=001/part-0.parquet", "unique_id=NA/part-0.PARQUET"]
    assert read(tmp_path) == {name: name.encode() for name in parts}


def test_a_url_that_fsspec_knows_is_read():
    with fsspec.open("memory://folder/it.csv", "wb") as file:
        file.write(b"x")
    assert read("memory://folder/it.csv") == {"it.csv": b"x"}


@pytest.mark.parametrize("path", ["nowhere.csv", "memory://nowhere/it.csv"])
def test_a_missing_file_is_named(path):
    assert refusal(path) == (
        f"series file '{path}' does not exist; put a .csv or .parquet with the columns unique_id,"
        " ds, y into data/01_raw/series, or name its path in conf/base/parameters/series.yml"
    )


def test_a_missing_text_is_answered_with_the_one_of_another_suffix(tmp_path):
    path = tmp_path / "notes.txt"

    def told():
        with pytest.raises(DatasetError) as caught:
            CorpusFile(filepath=str(path)).load()
        return str(caught.value.__cause__)

    for name in ("notes.pdf", "notes_old.md", "other.txt"):
        (tmp_path / name).touch()
    (tmp_path / "notes").mkdir()
    assert told() == (
        f"corpus file '{path}' does not exist; put a .txt file into data/01_raw/corpora, or name its"
        " path in conf/base/parameters/corpora.yml"
    )
    (tmp_path / "notes.md").touch()
    (tmp_path / "notes.TXT").touch()
    assert told() == (
        f"corpus file '{path}' does not exist, but there is {tmp_path}/notes.TXT and"
        f" {tmp_path}/notes.md; name one by corpus_options.NAME.path={tmp_path}/notes.TXT"
    )


def test_an_unknown_protocol_is_refused():
    assert refusal("carrier-pigeon://it.csv") == (
        "series file 'carrier-pigeon://it.csv' cannot be read: Protocol not known: carrier-pigeon;"
        " expected a file or a folder of .parquet parts"
    )


def test_an_empty_folder_is_refused(tmp_path):
    assert refusal(tmp_path) == (
        f"series file '{tmp_path}' is a folder without any .parquet part; expected one, or the path"
        " of a file"
    )


def test_raw_data_are_never_written(tmp_path):
    path = tmp_path / "it.csv"
    with pytest.raises(DatasetError) as caught:
        SeriesFile(filepath=str(path)).save({})
    assert str(caught.value.__cause__) == (f"series file '{path}' is raw data and is never written")
    assert not path.exists()


def test_digests_are_those_of_the_files_and_unfinished_files_have_none(tmp_path):
    (tmp_path / "gru").mkdir()
    (tmp_path / "gru/seed_0.json").write_bytes(b"{}")
    (tmp_path / "gru/.seed_0.json.1.partial").write_bytes(b"{")
    (tmp_path / "scaler.csv").write_bytes(b"a,b")
    fitted = {"filepath": str(tmp_path / "scaler.csv")}
    digests = Digests(filepath=str(tmp_path), glob="*/seed_*.*", fitted=fitted)
    assert digests.load() == {
        "gru/seed_0.json": hashlib.sha256(b"{}").hexdigest(),
        "scaler.csv": hashlib.sha256(b"a,b").hexdigest(),
    }
    with pytest.raises(DatasetError, match="are computed from its files, not saved"):
        digests.save({})


@pytest.fixture
def scored(tmp_path):
    """Two seeds of a network whose files are those that were scored, their median, and a baseline."""
    files = [tmp_path / "vocabulary.json"]
    files[0].write_text('{"characters": "ab"}')
    for seed in (0, 1):
        model = tmp_path / f"models/gru/seed_{seed}.safetensors"
        SafetensorsDataset(filepath=str(model)).save({"w": torch.arange(6.0) + seed})
        model.with_suffix(".json").write_text(card_of(seed).model_dump_json())
        files += [model, model.with_suffix(".json")]
    kinds = {"gru": ("recurrent", [1, 0]), "gru_median": ("ensemble", [1, 0])}
    kinds["ridge"] = ("baseline", [])
    scores = {"validation_score": 1.0, "score": 1.0}
    rows = {name: {"kind": kind, "seeds": seeds, **scores} for name, (kind, seeds) in kinds.items()}
    digests = {
        "/".join(path.relative_to(tmp_path).parts[1:]) or path.name: sha256(path) for path in files
    }
    winner = Winner(
        job="forecasting", data_set="airline", variant="ridge", **rows["ridge"], metric="mase",
        validation_metric="mase", best={"variant": "ridge", "score": 1.0}, confirmed=True, rows=rows,
        digests=digests,
    )  # fmt: skip
    (tmp_path / "models/winner.json").write_text(winner.model_dump_json())
    return files


def card_of(seed):
    return Card(variant="gru", seed=seed, validation_loss=1, parameters=6, train_seconds=1)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def row(tmp_path, model=None):
    fitted = {"filepath": str(tmp_path / "vocabulary.json")}
    card = "unrolled.comparison.records.Card"
    return Row(filepath=str(tmp_path / "models"), fitted=fitted, card=card, model=model)


@pytest.mark.parametrize(
    ("model", "kind", "seeds"),
    [
        (None, "baseline", []),
        ("gru", "recurrent", [1]),
        ("gru_median", "ensemble", [1, 0]),
    ],
)
def test_a_row_brings_its_networks_the_best_one_of_a_variant(scored, tmp_path, model, kind, seeds):
    found = row(tmp_path, model).load()
    assert (found.variant, found.kind) == (model or "ridge", kind)
    assert [card.seed for _, card in found.networks] == seeds
    for (weights, _), seed in zip(found.networks, seeds, strict=True):
        assert torch.equal(weights["w"], torch.arange(6.0) + seed)


def test_a_record_comes_back_as_what_it_was(tmp_path):
    it = dataset("unrolled.datasets.RecordFile", tmp_path / "it.json")
    it.save(CONTENTS["unrolled.datasets.RecordFile"])
    found = it.load()
    assert (type(found), found.validation_score) == (Chosen, 0.1 + 0.2)
    assert found.mean_validation_score is None  # JSON has no NaN


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"variant": "gru", "seed": 1, "validation_score": 1}', "'mean_validation_score' is missing"),
        ('{"variant": "gru", "epoch": 3}', "'seed' is missing"),
        ('{"variant": "gru", "seed": "one"}', "'seed' is 'one'; expected a valid integer, unable to parse string as an integer"),
        ('{"variant": "gru", "se', "Invalid JSON: EOF while parsing a string at line 1 column 22"),
    ],
)  # fmt: skip
def test_a_record_of_another_version_or_half_of_one_is_named(tmp_path, content, why):
    path = tmp_path / "it.json"
    path.write_text(content)
    with pytest.raises(DatasetError) as caught:
        dataset("unrolled.datasets.RecordFile", path).load()
    assert str(caught.value.__cause__) == (
        f"file '{path}' cannot be read: {why}; it is truncated, was changed or is of another version:"
        " run the job again"
    )


def test_a_row_that_is_not_on_the_leaderboard_is_answered_with_those_that_are(scored, tmp_path):
    with pytest.raises(DatasetError) as caught:
        row(tmp_path, "xgboost").load()
    assert str(caught.value.__cause__) == (
        "parameter 'model' is 'xgboost'; expected a row of the leaderboard of 'airline': gru,"
        " gru_median, ridge"
    )


def test_a_row_of_a_job_that_has_not_run_says_so(tmp_path):
    with pytest.raises(DatasetError, match="so nothing has been compared yet on this data set"):
        row(tmp_path).load()


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize(
    "change", [lambda content: content[:-1], lambda content: content.swapcase()]
)
def test_a_file_that_is_not_the_one_that_was_scored_is_refused_by_its_name(
    scored, tmp_path, place, change
):
    path, before = scored[place], sha256(scored[place])
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DatasetError) as caught:
        row(tmp_path, "gru_median").load()
    assert str(caught.value.__cause__) == (
        f"file '{path}' has SHA-256 {sha256(path)}, but the model that was scored had {before};"
        " it is truncated or was changed: run the job again"
    )


def test_a_missing_file_of_a_row_is_named(scored, tmp_path):
    before = sha256(scored[0])
    scored[0].unlink()
    with pytest.raises(DatasetError) as caught:
        row(tmp_path, "gru").load()
    assert str(caught.value.__cause__) == (
        f"file '{scored[0]}' is missing, but the model that was scored had {before}; it is"
        " truncated or was changed: run the job again"
    )


def test_files_of_a_folder_are_those_saved_last(tmp_path):
    data = FilesOf(filepath=str(tmp_path / "service"))
    assert not data.exists()
    data.save({"a.onnx": b"\x00\xff", "a.json": b"{}"})
    data.save({"numbers.json": b"[]", "a.json": b"{1}"})
    assert data.load() == {"a.json": b"{1}", "numbers.json": b"[]"}
