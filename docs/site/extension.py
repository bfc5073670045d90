# Copyright: (c) 2026, the plivo.voice contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation site needs beside ready-made extensions of Sphinx.

- Links to files of the project lead to their page, or else to the repository, so that a page works on GitHub as well.
- The directive ``heads`` shows the comments at the top of YAML files, so that nothing stands twice.
- Pages of event sources, which antsibull-docs takes for modules, say what they are.
"""

from __future__ import annotations

import itertools
import os
import re
import typing as t
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

#: In the comment at the top of a YAML file: a variable, its description two or more blanks behind it.
_VARIABLE = re.compile(r"( {2,4})(\w+)(?: {2,}(.+))?")
#: What is code in its text: options, parts of this collection, and names with an underscore.
_CODE = re.compile(
    r"(?<![\w'\"-])(-e '[^']+'|https?://[\w./-]*\w|--?[a-z][\w-]*|plivo\.voice\.\w+|\w+[/_][\w.<>/-]*[\w>](?:=\w+)?)"
)

_RETURN_VALUES = "https://docs.ansible.com/ansible/latest/reference_appendices/common_return_values.html"


class Block(t.NamedTuple):
    """A piece of a comment: a paragraph, a variable with its description, or (no name, but indented) a command."""

    indent: int
    name: str
    text: str


def parse_head(yaml: str) -> list[Block]:
    """The comment at the top of a YAML file, from behind the copyright.

    What goes on in the next line is indented more than a variable, or as much as any other text.
    """
    lines = yaml.split("\n")
    comment = [line[2:] for line in lines[1 : lines.index("")]]
    blocks: list[Block] = []
    last: Block | None = None
    for line in comment[comment.index("") :]:
        variable = _VARIABLE.fullmatch(line)
        text = line.lstrip()
        indent = len(line) - len(text)
        if variable:
            last = Block(indent, variable[2], variable[3] or "")
        elif last and last.name and indent > last.indent:
            last = blocks.pop()._replace(text=f"{last.text} {text}".lstrip())
        elif last and text and not last.name and bool(indent) == bool(last.indent):
            last = blocks.pop()._replace(text=f"{last.text}\n{line[last.indent :]}")
        else:
            last = Block(indent, "", text) if text else None
        if last:
            blocks.append(last)
    return blocks


def render_head(blocks: t.Iterable[Block]) -> list[nodes.Element]:
    """The blocks as parts of a page."""
    made: list[nodes.Element] = []
    for are_variables, group in itertools.groupby(blocks, lambda block: bool(block.name)):
        if are_variables:
            made.append(_definitions(list(group)))
        else:
            made += [
                nodes.literal_block("", block.text, language="shell") if block.indent else _paragraph(block.text)
                for block in group
            ]
    return made


def _definitions(blocks: t.Sequence[Block]) -> nodes.definition_list:
    """Variables; those that are indented more are parts of the one before them."""
    made = nodes.definition_list()
    starts = [number for number, block in enumerate(blocks) if block.indent <= blocks[0].indent]
    for start, end in zip(starts, [*starts[1:], len(blocks)]):
        name, text = blocks[start][1:]
        definition = nodes.definition("", _paragraph(text))
        if end > start + 1:
            definition += _definitions(blocks[start + 1 : end])
        made += nodes.definition_list_item("", nodes.term("", "", nodes.literal("", name)), definition)
    return made


def _paragraph(text: str) -> nodes.paragraph:
    pieces = _CODE.split(text)
    return nodes.paragraph(
        "", "", *(nodes.literal("", piece) if number % 2 else nodes.Text(piece) for number, piece in enumerate(pieces))
    )


class Heads(SphinxDirective):
    """A section for each of the YAML files that a pattern names."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        folder = Path(self.env.doc2path(self.env.docname)).parent
        return [self._section(path) for path in sorted(folder.glob(self.arguments[0]))]

    def _section(self, path: Path) -> nodes.section:
        self.env.note_dependency(str(path))
        made = nodes.section("", nodes.title("", f"{self.config.project}.{path.stem}"))
        made["names"] = [path.stem]
        self.state.document.note_explicit_target(made)
        made += render_head(parse_head(path.read_text(encoding="utf-8")))
        link = nodes.reference("", "", nodes.literal("", path.name), refuri=repository_url(path, self.env))
        made += nodes.paragraph("", "", nodes.Text("The whole file: "), link)
        return made


def repository_url(path: Path, env: BuildEnvironment) -> str:
    """Where the repository shows a file or folder of the project."""
    name = Path(os.path.relpath(path, Path(env.srcdir).parent)).as_posix()
    return f"{env.config.repository}/{'tree' if path.is_dir() else 'blob'}/main/{name}"


def lead_links(app: Sphinx, doctree: nodes.document) -> None:
    """Lead links to what is no page here to the page that tells about it, or else to the repository."""
    folder = Path(app.env.doc2path(app.env.docname)).parent
    for link in [*doctree.findall(addnodes.download_reference), *doctree.findall(addnodes.pending_xref)]:
        path = _outside(link, folder)
        if path:
            made = _link_to_page(path) or nodes.reference(refuri=repository_url(path, app.env))
            made += link.children
            link.replace_self(made)


def _outside(link: nodes.Element, folder: Path) -> Path | None:
    """What a link leads to, if that is a file or folder of the project and no page."""
    if link["reftype"] != "myst":
        return None
    if link["refdomain"] == "doc":
        # A Markdown file that is not among the pages has its whole path, but for the ending.
        return Path(link["reftarget"] + ".md") if link["reftarget"].startswith("/") else None
    path = Path(os.path.normpath(folder / link["reftarget"]))
    return path if path.exists() else None


def _link_to_page(path: Path) -> addnodes.pending_xref | None:
    """A link to the page that tells about a file, if there is one."""
    pages = {
        "modules": (f"modules/{path.stem}_module", None),
        "event_source": (f"modules/{path.stem}_event_source", None),
        "playbooks": ("playbooks", path.stem),
        "rulebooks": ("playbooks", path.stem),
    }
    if path.name == "README.md" and (path.parent / "galaxy.yml").exists():
        page, anchor = "index", None
    elif path.is_file() and path.parent.name in pages:
        page, anchor = pages[path.parent.name]
    else:
        return None
    return addnodes.pending_xref(refdomain="doc", reftype="myst", refexplicit=True, reftarget=page, reftargetid=anchor)


def read_from_readme(app: Sphinx, path: Path, page: str, text: list[str]) -> None:
    """Let the README's links to files, which begin at the repository so that they work on Galaxy, begin at the page."""
    text[0] = text[0].replace(f"]({app.config.repository}/blob/main/", "](../")


def mend_module_page(app: Sphinx, page: str, text: list[str]) -> None:
    """Fit a page of antsibull-docs into the site."""
    if not page.startswith("modules/"):
        return
    kind = "event source" if page.endswith("_event_source") else "module"
    made = text[0].replace(":ref:`here <common_return_values>`", f"`here <{_RETURN_VALUES}>`__")
    # The theme has a table of contents of its own.
    made = made.replace(".. contents::\n   :local:\n   :depth: 1\n", "")
    # A title that is short enough for the sidebar.
    made = re.sub(r"\nplivo\.voice\.(\w+) module -- (.+)\n(\++)\n", rf"\n\1 {kind}\n\3\n\n\2.\n", made)
    if kind == "event source":
        made = made.replace("To use it in a playbook", "To use it in a rulebook")
        made = re.sub(r"\b([Tt]his) module\b", r"\1 event source", made)
    text[0] = made


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("repository", "", "env")
    app.add_directive("heads", Heads)
    app.connect("include-read", read_from_readme)
    app.connect("source-read", mend_module_page)
    # Before Sphinx gathers what is to be downloaded, at 500.
    app.connect("doctree-read", lead_links, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
