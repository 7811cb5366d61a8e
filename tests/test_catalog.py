"""What the catalog and the registry promise."""

from pathlib import Path

import yaml
from kedro.framework.project import configure_project, pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import MemoryDataset


def test_nothing_between_nodes_is_in_memory_only(project: Path) -> None:
    bootstrap_project(project)
    configure_project("unrolled")
    with KedroSession.create(project) as session:
        catalog = session.load_context().catalog
        for name, pipeline in pipelines.items():
            datasets = {data for data in pipeline.datasets() if not data.startswith("params:")}
            datasets -= {"parameters"}
            assert datasets, name
            in_memory = {data for data in datasets if isinstance(catalog.get(data), MemoryDataset)}
            assert not in_memory
            assert all(data in catalog for data in datasets)


def test_the_registry_lists_the_pipelines_of_the_design(project: Path) -> None:
    bootstrap_project(project)
    configure_project("unrolled")
    assert set(pipelines) == {
        "__default__",
        "forecasting",
        "text",
        "gradients",
        "deploy",
        "forecast",
        "generate",
        "monitor",
    }


def test_names_in_tables_are_read_as_text(project: Path) -> None:
    for path in sorted((project / "conf/base/catalog").glob("*.yml")):
        for name, entry in yaml.safe_load(path.read_text()).items():
            if entry.get("type") == "pandas.CSVDataset" and path.stem != "monitor":
                assert entry["load_args"]["keep_default_na"] is False, name
