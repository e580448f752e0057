"""Executes one notebook, cell by cell, and writes it and an HTML page.

    run_notebook.py NOTEBOOK --output-dir FOLDER [--kernel tchalk] [--timeout SECONDS]

Prints a line for each cell. The executed notebook and the page are written also if a cell failed;
the exit status is then 1. Cells tagged `raises-exception` may fail.
"""

import argparse
import pathlib
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter


def first_line(source):
    return next((line.strip() for line in source.splitlines() if line.strip()), "")[:70]


def execute(notebook, kernel, timeout, folder):
    """Runs all cells, and returns what went wrong, or None."""
    client = NotebookClient(
        notebook,
        kernel_name=kernel,
        timeout=timeout,
        startup_timeout=180,
        # As Jupyter shows it: what is printed in several pieces is one text.
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    code_cells = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    if not code_cells:
        return None  # Text alone needs no kernel.
    with client.setup_kernel():
        for count, index in enumerate(code_cells, 1):
            cell = notebook.cells[index]
            begun = time.monotonic()
            print(f"  cell {count:2}/{len(code_cells)}  {first_line(cell.source)}", end="", flush=True)
            try:
                client.execute_cell(cell, index)
            except CellExecutionError as error:
                print("  FAILED")
                return f"cell {count}, which begins `{first_line(cell.source)}`:\n{error.ename}: {error.evalue}"
            except (CellTimeoutError, DeadKernelError) as error:
                print("  FAILED")
                return f"cell {count}, which begins `{first_line(cell.source)}`: {error}"
            print(f"  {time.monotonic() - begun:.1f} s")
    return None


def write_page(notebook, path):
    """The page needs nothing from the network: no remote scripts, images inside."""
    exporter = HTMLExporter(template_name="lab", embed_images=True)
    exporter.mathjax_url = ""
    exporter.require_js_url = ""
    exporter.jquery_url = ""
    title = notebook.metadata.get("title") or path.stem
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": title}})
    path.write_text(page, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=pathlib.Path)
    parser.add_argument("--output-dir", type=pathlib.Path, required=True)
    parser.add_argument("--kernel", default="tchalk")
    parser.add_argument("--timeout", type=float, default=None)
    arguments = parser.parse_args()
    try:
        notebook = nbformat.read(arguments.notebook, as_version=4)
    except FileNotFoundError:
        sys.exit(f"{arguments.notebook}: there is no such notebook")
    except nbformat.reader.NotJSONError as error:
        sys.exit(f"{arguments.notebook}: not a notebook ({str(error)[:80]})")
    begun = time.monotonic()
    trouble = execute(notebook, arguments.kernel, arguments.timeout, arguments.notebook.parent.resolve())
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    executed = arguments.output_dir / arguments.notebook.name
    page = executed.with_suffix(".html")
    nbformat.write(notebook, executed)
    write_page(notebook, page)
    if trouble:
        print(f"\n{arguments.notebook} failed in {trouble}\n\nWhat was executed: {page}", file=sys.stderr)
        sys.exit(1)
    print(f"  all cells ran, {time.monotonic() - begun:.0f} s: {page}")


if __name__ == "__main__":
    main()
