"""The one build step that pyproject.toml has no word for: `conf` and the data go into the wheel."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithStarter(build_py):
    """Put beside `unrolled.starter` what it writes; an editable install finds it where it is."""

    def run(self) -> None:
        """Build the package, then copy."""
        super().run()
        if self.editable_mode:
            return
        for name in ("conf", "data/01_raw"):
            target = Path(self.build_lib, "unrolled/starter", name)
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(name, target)
        for secret in Path(self.build_lib, "unrolled/starter/conf/local").glob("[!.]*"):
            secret.unlink()


setup(cmdclass={"build_py": BuildWithStarter})
