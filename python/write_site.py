"""Writes the site: a page for each executed notebook, and the page of pages.

    write_site.py PLAN

PLAN is a JSON file: `site` (the folder to write to), `told` (under which conditions the notebooks
ran), `notebooks` (a list of `executed`, `page`, `failed`) and `others` (a list of `page`, `title`,
`text`: pages that are there already). Pages are relative to `site`, use nothing from the network, and
link to each other where the notebooks do.
"""

import datetime
import html
import json
import os
import pathlib
import re
import sys

import nbformat
from nbconvert import HTMLExporter

HEADING = re.compile(r'<h([123]) id="([^"]*)">(.*?)<a class="anchor-link"', re.DOTALL)
CODE_CELL = re.compile(r'<div class="cell border-box-sizing code_cell rendered" id="cell-id=([^"]*)">')
INPUT = '<div class="input_area">'
LINK = re.compile(r'(<a\b[^>]*\bhref=")([^"]*)(")')
MARKUP = re.compile(r"<[^>]*>")


def relative(target, page):
    """How `page` links to `target`; both are relative to the site."""
    return os.path.relpath(target, os.path.dirname(page) or ".")


def seconds(cell):
    """How long a cell took, if the kernel's times were noted."""
    times = cell.metadata.get("execution", {})
    begun, ended = times.get("iopub.execute_input"), times.get("shell.execute_reply")
    if not (begun and ended):
        return None
    read = lambda text: datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (read(ended) - read(begun)).total_seconds()


def duration(time):
    if time < 10:
        return f"{time:.1f} s"
    time = round(time)
    return f"{time} s" if time < 100 else f"{time // 60} min {time % 60} s"


def first_paragraph(notebook):
    """What a notebook says of itself: the first line of its first cell that is no heading."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.strip() and not line.startswith("#"):
                    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line).strip("*_ ")
    return ""


def title(notebook, path):
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            return cell.source.splitlines()[0][2:].strip()
    return notebook.metadata.get("title") or path.stem


def with_links_to_pages(body):
    """A notebook links to notebooks; its page links to their pages."""

    def changed(match):
        before, address, after = match.groups()
        if "://" not in address:
            file, mark, place = address.partition("#")
            if file.endswith(".ipynb"):
                address = file[: -len(".ipynb")] + ".html" + mark + place
        return before + address + after

    return LINK.sub(changed, body)


def with_times(body, notebook):
    """Cells that took more than a second say so."""
    times = {cell.get("id", ""): seconds(cell) for cell in notebook.cells if cell.cell_type == "code"}
    pieces = CODE_CELL.split(body)
    out = [pieces[0]]
    for name, piece in zip(pieces[1::2], pieces[2::2]):
        time = times.get(name)
        if time is not None and time >= 1:
            piece = piece.replace(INPUT, f'{INPUT}<span class="took">{duration(time)}</span>', 1)
        out.append(f'<div class="code_cell" id="{name}">{piece}')
    return "".join(out)


def outline(body):
    headings = HEADING.findall(body)
    # Where the second level is not used, as in the glossary, the third takes its place.
    second = "2" if any(level == "2" for level, _, _ in headings) else "3"
    entries = "".join(
        f'<li class="h{1 if level == "1" else 2}"><a href="#{anchor}">{MARKUP.sub("", text).strip()}</a></li>'
        for level, anchor, text in headings
        if level in ("1", second)
    )
    return f'<aside class="outline" aria-label="Headings of this page"><ol>{entries}</ol></aside>'


def document(page, title, top, content):
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n"
        f'<link rel="stylesheet" href="{relative("site.css", page)}">\n<body>\n{top}\n{content}\n</body></html>\n'
    )


def top(page, entries):
    here = lambda other: ' aria-current="page"' if other == page else ""
    links = "".join(
        f'<a href="{relative(other, page)}"{here(other)}>{html.escape(name)}</a>' for other, name in entries
    )
    return f'<nav class="top"><a class="home" href="{relative("index.html", page)}">tchalk</a>{links}</nav>'


def main():
    plan = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    site = pathlib.Path(plan["site"])
    exporter = HTMLExporter(template_name="basic", embed_images=True)
    notebooks = []
    for entry in plan["notebooks"]:
        path = pathlib.Path(entry["executed"])
        notebook = nbformat.read(path, as_version=4)
        notebooks.append((entry, notebook, title(notebook, path)))
    entries = [(entry["page"], name) for entry, _, name in notebooks]
    entries += [(other["page"], other["title"]) for other in plan["others"]]

    cards = []
    for number, (entry, notebook, name) in enumerate(notebooks):
        page = entry["page"]
        folder = str(pathlib.Path(entry["executed"]).parent)
        body, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": name, "path": folder}})
        body = with_links_to_pages(with_times(body, notebook))
        times = [seconds(cell) for cell in notebook.cells if cell.cell_type == "code"]
        total = sum(time for time in times if time)
        ran = f"Ran in {duration(total)}, {plan['told']}." if times else "Nothing to run in it."
        failed = '<p class="failed">It did not run to its end; see the last cell that ran.</p>' if entry["failed"] else ""
        around = []
        for step, word in ((-1, "←"), (1, "→")):
            if 0 <= number + step < len(notebooks):
                other, other_name = notebooks[number + step][0]["page"], html.escape(notebooks[number + step][2])
                text = f"{word} {other_name}" if step < 0 else f"{other_name} {word}"
                around.append(f'<a href="{relative(other, page)}">{text}</a>')
            else:
                around.append("<span></span>")
        content = (
            f'<div class="page">{outline(body)}<main><p class="told">{ran}</p>{failed}{body}'
            f'<div class="next">{"".join(around)}</div></main></div>'
        )
        target = site / page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(document(page, f"{name} · tchalk", top(page, entries), content), encoding="utf-8")
        text = html.escape(first_paragraph(notebook))
        cards.append(f'<a href="{page}"><strong>{html.escape(name)}</strong>{text}<p class="told">{ran}</p>{failed}</a>')
    more = [
        f'<a href="{other["page"]}"><strong>{html.escape(other["title"])}</strong>{html.escape(other["text"])}</a>'
        for other in plan["others"]
    ]
    content = (
        '<main class="front"><h1>tchalk</h1><p class="lead">Deep-learning image classification, taught in '
        "Rust notebooks. These are the notebooks as they look when every cell has run, the figures, and "
        "the documentation of the library.</p>"
        f'<h2>Notebooks</h2><div class="cards">{"".join(cards)}</div>'
        f'<h2>To look things up</h2><div class="cards">{"".join(more)}</div>'
        f'<p class="told">Written by <code>cargo xtask site</code>; notebooks ran {plan["told"]}.</p></main>'
    )
    (site / "index.html").write_text(document("index.html", "tchalk", top("index.html", entries), content), encoding="utf-8")


if __name__ == "__main__":
    main()
