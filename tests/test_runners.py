"""Nodes side by side: their order, their threads, their end."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.framework.project import configure_project
from kedro.io import MemoryDataset, SharedMemoryDataCatalog
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset

from unrolled.errors import InputError
from unrolled.runners import SideBySideRunner, in_order, threads_of
from unrolled.training.options import TextTrainOptions


def busy(*_: object) -> dict[str, float]:
    began = time.time()
    time.sleep(0.3)
    return {"began": began, "ended": time.time(), "process": os.getpid()}


def meet(*_: object) -> dict[str, int]:
    """End when another node is at work as well."""
    place = Path(os.environ["MEETING"])
    (place / str(os.getpid())).touch()
    deadline = time.monotonic() + 120
    while len(list(place.iterdir())) < 2:
        assert time.monotonic() < deadline, "nobody came"
        time.sleep(0.05)
    return {"process": os.getpid()}


def broken() -> None:
    raise InputError("series 'x' has 3 rows; 30 are needed")


def endless() -> None:
    time.sleep(600)


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def node(name: str, *inputs: str, job: str = "text", function=busy) -> Node:
    return Node(function, list(inputs) or None, f"{job}.{name}", name=name, namespace=job)


def catalog_for(pipeline: Pipeline, folder: Path) -> SharedMemoryDataCatalog:
    catalog = SharedMemoryDataCatalog()
    for name in pipeline.all_outputs():
        catalog[name] = JSONDataset(filepath=str(folder / f"{name}.json"))
    for name in pipeline.inputs():
        catalog[name] = MemoryDataset(TextTrainOptions(threads=2))
    return catalog


def short(node: Node) -> str:
    return node.name.split(".")[-1]


class Saved:
    def __init__(self) -> None:
        self.names: list[str] = []

    @hook_impl
    def after_node_saved(self, node, catalog) -> None:
        assert all(catalog.exists(name) for name in node.outputs)
        assert multiprocessing.parent_process() is None
        self.names.append(short(node))


@pytest.fixture
def run(tmp_path, monkeypatch):
    configure_project("unrolled")
    # Workers that are forked from a process that has run torch wait for its threads in vain.
    monkeypatch.setenv("KEDRO_MP_CONTEXT", "spawn")

    def go(nodes: list[Node], cores: int = 2) -> tuple[dict[str, dict], list[str]]:
        pipeline, manager, saved = Pipeline(nodes), _create_hook_manager(), Saved()
        manager.register(saved)
        catalog = catalog_for(pipeline, tmp_path)
        SideBySideRunner(max_workers=cores).run(pipeline, catalog, manager, "run")
        return {short(n): catalog.load(n.outputs[0]) for n in nodes}, saved.names

    return go


def test_jobs_are_in_order_and_a_leaderboard_is_before_pictures():
    nodes = [
        node("net", job="text"),
        node("batch", job="gradients"),
        node("a_plot", job="forecasting"),
        node("net", job="forecasting"),
        node("leaderboard", "forecasting.net", job="forecasting"),
        node("z_plot", "forecasting.leaderboard", job="forecasting"),
    ]
    assert [f"{n.namespace}.{short(n)}" for n in in_order(Pipeline(nodes))] == [
        "forecasting.net",
        "forecasting.leaderboard",
        "forecasting.a_plot",
        "forecasting.z_plot",
        "text.net",
        "gradients.batch",
    ]


def test_a_node_takes_the_cores_that_its_network_trains_with():
    space = "text.gru.seed_0"
    nodes = [
        Node(busy, ["params:text.gru.training"], f"{space}.model", namespace=space, name="train"),
        Node(busy, [f"{space}.model"], f"{space}.losses", namespace=space, name="evaluate"),
        Node(busy, [f"{space}.losses"], f"{space}.plot", namespace=space, name="plot"),
        node("ridge", "params:text.gru.model"),
    ]
    catalog = catalog_for(Pipeline(nodes), Path())
    assert [threads_of(one, catalog) for one in nodes] == [2, 2, 1, 1]


PRELOAD = """
import sys
from kedro.pipeline import Node, Pipeline
from unrolled.runners import PreloadHooks
trains = Pipeline([Node(print, "params:text.gru.training", None, name="train")])
draws = Pipeline([Node(print, "text.losses", None, name="draw")])
for runner, pipeline in ("SequentialRunner", trains), ("SideBySideRunner", draws), ("SideBySideRunner", trains):
    PreloadHooks().before_pipeline_run({"runner": f"<unrolled.runners.{runner} object>"}, pipeline)
    print("torch" in sys.modules)
"""


@pytest.mark.slow
def test_torch_is_imported_before_workers_that_train_and_for_nobody_else():
    done = subprocess.run(
        [sys.executable, "-c", PRELOAD], capture_output=True, text=True, check=True
    )
    found = [line for line in done.stdout.splitlines() if line in ("True", "False")]
    assert found == ["False", "False", "True"]


@pytest.mark.slow
def test_nodes_run_side_by_side_each_after_what_it_reads(run, tmp_path, monkeypatch):
    (tmp_path / "meeting").mkdir()
    monkeypatch.setenv("MEETING", str(tmp_path / "meeting"))
    both = [node("a", function=meet), node("b", function=meet)]
    found, saved = run([*both, node("c", "text.a", "text.b")])
    assert len({os.getpid(), found["a"]["process"], found["b"]["process"]}) == 3
    assert saved[-1] == "c"


@pytest.mark.slow
def test_two_threads_have_both_cores_for_themselves(run):
    space = "text.gru.seed_0"
    train = Node(
        busy, ["params:text.gru.training"], f"{space}.model", namespace=space, name="train"
    )
    found, _ = run([node("a"), train, node("b")])
    alone = found["train"]
    for other in (found["a"], found["b"]):
        assert other["ended"] <= alone["began"] or alone["ended"] <= other["began"]


@pytest.mark.slow
def test_a_node_that_fails_fails_the_run_with_its_own_error(run):
    with pytest.raises(InputError, match="30 are needed"):
        run([node("a"), node("b", function=broken)])


@pytest.fixture
def heard():
    """Hear Ctrl-C, which tests in the background of a shell would ignore."""
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, inherited)


@pytest.mark.slow
@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals")
def test_ctrl_c_ends_the_workers_and_says_how_to_go_on(run, heard):
    before = set(multiprocessing.active_children())
    threading.Timer(8, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(InputError) as stopped:
        run([node("a", function=endless), node("b", function=endless)])
    assert time.monotonic() - began < 60
    assert str(stopped.value) == (
        "stopped after 0 of 2 nodes; the same command with --only-missing-outputs goes on from"
        " there"
    )
    for left in set(multiprocessing.active_children()) - before:
        left.join(10)
    assert len(set(multiprocessing.active_children()) - before) <= 1  # Kedro's manager


@pytest.mark.slow
def test_a_worker_that_is_killed_is_told_of_in_a_sentence(run):
    with pytest.raises(InputError) as stopped:
        run([node("a", function=killed)])
    assert str(stopped.value) == (
        "a worker process was ended from outside, as by a system that is out of memory, after 0 of 1"
        " nodes; the same command with --only-missing-outputs goes on from there; --runner"
        " SequentialRunner takes less memory"
    )


@pytest.mark.slow
def test_workers_end_with_a_main_process_that_is_killed(tmp_path):
    code = f"""
import multiprocessing, os, signal, time
from pathlib import Path
from unrolled.runners import SideBySideRunner
pool = SideBySideRunner(max_workers=2)._get_executor(2)
for _ in range(2):
    pool.submit(time.sleep, 600)
time.sleep(1)
pids = " ".join(str(process.pid) for process in pool._processes.values())
Path({str(tmp_path)!r}, "pids").write_text(pids)
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    workers = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(alive, workers)):
        time.sleep(0.1)
    assert len(workers) == 2
    assert not any(map(alive, workers))


def alive(pid: int) -> bool:
    """Whether a process runs: one that has ended and that nobody has waited for does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
