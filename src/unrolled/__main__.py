"""`python -m unrolled` runs the project like `kedro run`."""

from kedro.framework.project import configure_project

from unrolled.cli import run


def main() -> None:
    """Configure the project and hand the arguments to `run`."""
    configure_project("unrolled")
    run()


if __name__ == "__main__":
    main()
