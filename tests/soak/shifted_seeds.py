"""Run chapters with every seed shifted, and list the assertions that fall.

An assertion that holds for one seed only states luck. Every cell runs, whatever fell before it::

    python -m tests.soak.shifted_seeds 7 --shift 1

``--shift 0`` shows what falls on this machine with the course's own seeds.
"""

import linecache
import os
import subprocess
import sys
import time
import traceback
import types
from pathlib import Path

import click

SHIFTED = Path(__file__).parent / "shifted"


def run_cells(path):
    """Run a chapter's cells one by one in this process; return how many raised an exception."""
    import matplotlib as mpl

    from mnist_course.chapters import derive_notebook

    mpl.use("Agg")
    module = types.ModuleType("__main__")
    module.__file__ = str(path)
    sys.modules["__main__"] = module
    fallen = 0
    code = [cell for cell in derive_notebook(path).cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        name = f"<{path.stem}, code cell {number}>"
        lines = cell.source.splitlines(keepends=True)
        linecache.cache[name] = (len(cell.source), None, lines, name)  # for inspect.getsource
        try:
            exec(compile(cell.source, name, "exec"), module.__dict__)
        except Exception as error:
            fallen += 1
            here = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == name]
            line = lines[here[-1].lineno - 1].strip() if here else ""
            print(f"FELL {path.stem} code cell {number}: {type(error).__name__} {error}\n  {line}")
    return fallen


@click.command()
@click.argument("chapters", nargs=-1)
@click.option("--shift", type=int, default=1, show_default=True)
@click.option("--inside", is_flag=True, hidden=True)
def main(chapters, shift, inside):
    """Run CHAPTERS (numbers or names; default: all) with their seeds shifted."""
    from mnist_course.chapters import ROOT, RUNS, chapter_environment, find_chapters
    from mnist_course.data import load_data

    if inside:
        sys.exit(1 if run_cells(*find_chapters(chapters)) else 0)
    digits = load_data()
    environment = chapter_environment(str(digits.folder) if digits.is_mnist else "practice")
    path = os.pathsep.join(filter(None, [str(SHIFTED), str(ROOT), os.environ.get("PYTHONPATH")]))
    environment.update(
        PYTHONPATH=path,
        MNIST_COURSE_SEED_SHIFT=str(shift),
        MNIST_COURSE_FIGURES=str(RUNS / f"shift{shift}" / "figures"),
    )
    failed = 0
    for chapter in find_chapters(chapters):
        begun = time.perf_counter()
        log = RUNS / f"shift{shift}" / f"{chapter.stem}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tests.soak.shifted_seeds", chapter.stem, "--inside"]
        with log.open("w") as output:
            streams = {"stdout": output, "stderr": subprocess.STDOUT}
            status = subprocess.run(command, env=environment, cwd=ROOT, **streams).returncode
        failed += status != 0
        lines = log.read_text().splitlines()
        print(f"{chapter.stem}, shift {shift}: {time.perf_counter() - begun:.0f} s")
        for number, line in enumerate(lines):
            if line.startswith("FELL "):
                print("  " + "\n  ".join(lines[number : number + 2]))
        if status not in (0, 1):
            print("  ended with", status, *lines[-3:], sep="\n  ")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
