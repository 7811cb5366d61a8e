"""The graph of `make run` as a newcomer sees it first, in a real kedro-viz and a real browser."""

import json
import time
from pathlib import Path

import pytest
from tests.browser import browser, kedro_viz, needs_chromium

BOXES = "[...document.querySelectorAll('.pipeline-node')]"
READ = f"JSON.stringify({BOXES}.map(e => [e.textContent, ...Object.values(e.getBoundingClientRect().toJSON())]))"


@needs_chromium
@pytest.mark.slow
def test_the_default_graph_is_few_boxes_that_can_be_read(project: Path, tmp_path: Path) -> None:
    with kedro_viz(project) as url, browser(tmp_path / "profile") as page:
        size = {"width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        page.call("Emulation.setDeviceMetricsOverride", **size)
        page.open(url)
        page.wait(f"{BOXES}.length")
        time.sleep(3)  # it flies to its place
        boxes = json.loads(str(page.ask(READ)))
    names = [box[0] for box in boxes]
    assert len(names) <= 15, names
    assert {"forecasting", "text", "gradients"} <= {name.lower() for name in names}
    for name, x, y, width, height, *_ in boxes:
        assert x >= 0, name
        assert y >= 0, name
        assert x + width <= 1440, name
        assert y + height <= 900, name
        assert height >= 14, (name, height)  # pixels: its letters can be read
