"""How `kedro run` uses the cores: the networks of a study train side by side, job after job."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks.markers import hook_impl, hook_spec
from kedro.runner import ParallelRunner
from kedro.runner.parallel_runner import ParallelRunnerManager
from kedro.runner.task import Task

from unrolled.errors import InputError
from unrolled.pipelines.jobs import JOBS
from unrolled.tracking import job_of, prefixes
from unrolled.training import progress

if TYPE_CHECKING:
    from kedro.io import DataCatalog, SharedMemoryDataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node
    from pluggy import PluginManager


class NodeSavedSpecs:
    """A hook that Kedro lacks: its own know a node's outputs before they are saved, in a worker."""

    @hook_spec
    def after_node_saved(self, node: Node, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Called in the main process when all outputs of a node are saved."""


class PreloadHooks:
    """Imports what trains, fits and draws once, before the workers are forked, not in each of them."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Import it, while MLflow's database may still be made in another process.

        An import starts no threads, for which a forked worker would wait in vain. torch's optimisers
        import its compiler, which takes as long as torch. What baselines are fitted by comes before all
        nodes under any runner, since the time that a baseline takes is told.
        """
        if any(name.endswith(".training") for name in pipeline.inputs()):
            import sklearn.linear_model  # noqa: F401
            import statsmodels.tsa.exponential_smoothing.ets
            import statsmodels.tsa.forecasting.theta  # noqa: F401

            if SideBySideRunner.__name__ in run_params["runner"]:
                import torch._dynamo  # noqa: F401

                import unrolled.pipelines.drawing  # noqa: F401


class SideBySideRunner(ParallelRunner):
    """Kedro's `ParallelRunner`, with the jobs in order and no more threads at work than cores.

    Kedro hands every node that could start to its workers, in no order: a hundred gradients would
    stand before the first forecaster, and networks that train with two threads each would share
    two cores. Here a node starts as soon as its threads have cores, those of an earlier job first.
    """

    def __init__(self, max_workers: int | None = None, is_async: bool = False) -> None:
        """Take `max_workers` cores, by default all that this process may use."""
        super().__init__(max_workers or usable_cores(), is_async)
        # Kedro's own would outlive a main process that is killed.
        self._manager.shutdown()
        self._manager = ParallelRunnerManager()
        self._manager.start(_end_with_parent)

    @property
    def _logger(self) -> logging.Logger:
        return logging.getLogger("kedro.runner")  # where Kedro's own runners log

    def _get_executor(self, max_workers: int) -> Executor:
        context = multiprocessing.get_context(os.environ.get("KEDRO_MP_CONTEXT"))
        clock = context.Value("d", 0.0)
        return ProcessPoolExecutor(max_workers, context, _begin, (clock,))

    def _run(
        self,
        pipeline: Pipeline,
        catalog: SharedMemoryDataCatalog,  # type: ignore[override]
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        self._validate_catalog(catalog)
        self._validate_nodes(pipeline.nodes)
        self._set_manager_datasets(catalog)
        if hook_manager is not None:
            hook_manager.add_hookspecs(NodeSavedSpecs)
        needs, waiting = pipeline.node_dependencies, in_order(pipeline)
        done: set[Node] = set()
        running: dict[Future[Node], int] = {}  # cores that each takes
        others = set(multiprocessing.active_children())

        def so_far() -> str:
            return (
                f"after {len(done)} of {len(pipeline.nodes)} nodes; the same command with"
                " --only-missing-outputs goes on from there"
            )

        with self._get_executor(self._max_workers) as pool:
            try:
                while waiting or running:
                    for node in [node for node in waiting if needs[node] <= done]:
                        cores = min(threads_of(node, catalog), self._max_workers)
                        if sum(running.values()) + cores > self._max_workers:
                            break
                        task = Task(node, catalog, self._is_async, run_id=run_id, parallel=True)
                        running[pool.submit(task)] = cores
                        waiting.remove(node)
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        del running[future]
                        node = future.result()
                        done.add(node)
                        self._logger.info("Completed node: %s", node.name)
                        self._logger.info(
                            "Completed %d out of %d tasks", len(done), len(pipeline.nodes)
                        )
                        if hook_manager is not None:
                            hook_manager.hook.after_node_saved(
                                node=node, pipeline=pipeline, catalog=catalog
                            )
            except KeyboardInterrupt:
                for worker in set(multiprocessing.active_children()) - others:
                    worker.terminate()
                raise InputError(f"stopped {so_far()}") from None
            except BrokenProcessPool:
                raise InputError(
                    "a worker process was ended from outside, as by a system that is out of memory,"
                    f" {so_far()}; --runner SequentialRunner takes less memory"
                ) from None
            except Exception:
                self._suggest_resume_scenario(pipeline, done, catalog)
                raise


def usable_cores() -> int:
    """Cores that this process may use: in a container fewer than the machine has."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def in_order(pipeline: Pipeline) -> list[Node]:
    """Nodes by job; within a job what its leaderboard needs, then its pictures."""
    ends = (".leaderboard", ".champion", ".winner", ".forecast")
    boards = [name for name in pipeline.all_outputs() if name.endswith(ends)]
    first = set(pipeline.to_outputs(*boards).nodes) if boards else set()
    jobs = [job.name for job in JOBS if job.trains]

    def rank(node: Node) -> tuple[int, bool]:
        job = job_of(node.namespace or "")
        return (jobs.index(job) if job in jobs else len(jobs)), node not in first

    return sorted(pipeline.nodes, key=rank)


def threads_of(node: Node, catalog: DataCatalog) -> int:
    """Threads that a node computes with: those that its network trains with, one elsewhere."""
    computes = any(
        name.endswith(".training" if name.startswith("params:") else ".model")
        for name in node.inputs
    )
    if not computes:
        return 1
    for namespace in prefixes(node.namespace or ""):
        name = f"params:{namespace}.training"
        if name in catalog:
            return int(getattr(catalog.load(name), "threads", 1))
    return 1


def _begin(clock: progress.Clock) -> None:
    """What a worker does first."""
    progress.share(clock)
    _end_with_parent()


def _end_with_parent() -> None:
    """In a worker: end at once with Ctrl-C or with the main process, however that ends.

    Every file is written whole or not at all, so nothing is lost but what was being computed.
    """
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as of a job in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    # Not by the parent's sentinel: a worker that was forked later holds its other end open.
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
