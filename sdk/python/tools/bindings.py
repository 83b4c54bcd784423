"""Makes `transload_sdk/bindings` of `wit/`: the contract's types for plain CPython. `--check` only says whether they are as made.

Run with the Python that has componentize-py (`requirements.txt`). A component gets its own, from the same `wit/`, when it is built.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SDK = Path(__file__).resolve().parent.parent
WIT = SDK.parent.parent / "wit" / "0.1"
PLACE = SDK / "transload_sdk" / "bindings"
# What streams and futures need: the contract has none, and it asks for a later Python than the rest.
ASYNC = re.compile(r"^(import componentize_py_async_support|from componentize_py_async_support\S* import .*)\n", re.M)


def made(place: Path) -> None:
    tool = Path(sys.executable).with_name("componentize-py")
    with tempfile.TemporaryDirectory() as temporary:
        command = [tool, "--quiet", "-d", WIT, "-w", "common", "bindings", temporary]
        subprocess.run(command, check=True)
        whole = Path(temporary)
        names = ["componentize_py_types.py", "wit_world/__init__.py"]
        names += [f"wit_world/imports/{path.name}" for path in whole.glob("wit_world/imports/*.py")]
        for name in names:
            text = ASYNC.sub("", (whole / name).read_text())
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text.rstrip() + "\n")
        (place / "__init__.py").write_text("")


def files(place: Path) -> dict[str, str]:
    return {str(path.relative_to(place)): path.read_text() for path in place.rglob("*.py")}


def main() -> None:
    if "--check" in sys.argv:
        with tempfile.TemporaryDirectory() as temporary:
            made(Path(temporary))
            if files(Path(temporary)) != files(PLACE):
                sys.exit("transload_sdk/bindings are not those of wit/: run tools/bindings.py")
        return
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir()
    made(PLACE)


if __name__ == "__main__":
    main()
