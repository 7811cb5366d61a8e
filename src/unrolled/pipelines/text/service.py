"""What `deploy` asks of this job: its row as the files that a server opens, and the proof that they agree."""

from __future__ import annotations

from kedro.pipeline import Node

from unrolled.serving import packages, parity


def steps() -> list[Node]:
    """Nodes without a namespace: the model is logged in a run of its own."""
    return [
        Node(
            packages.of_writer,
            ["text.row", "text.vocabulary", "params:text.corpus"],
            ["text.service", "text.request"],
            name="package",
        ),
        Node(
            parity.of_writer,
            ["text.row", "text.service", "text.test_ids"],
            "text.parity",
            name="check_parity",
        ),
    ]
