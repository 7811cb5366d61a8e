"""`unrolled`, the command of the installed package, also as `python -m unrolled`."""

import os
from pathlib import Path

import click

from unrolled import starter
from unrolled.errors import InputError

# Outside a project Kedro logs, as it is imported, how it logs.
if not Path("conf").is_dir():
    os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(starter.source("conf") / "logging.yml"))

from kedro.framework.project import configure_project

from unrolled.cli import EXAMPLES, run, sentences


@click.group(epilog=EXAMPLES.format(command="unrolled"))
@click.pass_context
def main(context: click.Context) -> None:
    """Which recurrent network should I use on this sequence, and does it beat the simple thing?

    `unrolled run` takes the options of `kedro run`.
    """
    if context.invoked_subcommand == "run":
        with sentences():
            if not Path("conf/base").is_dir():
                raise InputError(
                    f"folder '{Path.cwd()}' has no conf/base; write one by unrolled init in an"
                    " empty folder"
                )
        configure_project("unrolled")


@main.command()
def init() -> None:
    """Write conf, data and a Makefile into this folder."""
    with sentences():
        written = starter.write(Path.cwd())
    click.echo(f"Wrote {', '.join(written)}. Next: unrolled run, or in seconds: --env quick")


main.add_command(run)

if __name__ == "__main__":
    main(prog_name="unrolled")
