"""The support matrix as tables, for the terminal and the README."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .cells import CELLS, SANITY, Cell, Kind

PASSED, FAILED, NOT_RUN = "✓", "✗", "○"

BEGIN, END = "<!-- make matrix writes this -->\n", "<!-- up to here -->\n"


def tables(marks: Mapping[str, str]) -> str:
    """Both tables as Markdown.

    :param marks: what came of each cell, by its name.
    """
    controllers = [cell for cell in CELLS if cell.kind is not Kind.TARGET]
    targets = [cell for cell in CELLS if cell.kind is Kind.TARGET]
    return f"{_table('ansible-core', controllers, marks)}\n{_table('requests', targets, marks)}"


def _table(what: str, cells: Sequence[Cell], marks: Mapping[str, str]) -> str:
    pythons = sorted({cell.column for cell in cells} - {SANITY}, key=lambda python: int(python.split(".")[1]))
    columns = [*pythons, *({SANITY} & {cell.column for cell in cells})]
    by_place = {(cell.version, cell.column): marks[cell.name] for cell in cells}
    rows = [
        [what, *(column if column == SANITY else f"Python {column}" for column in columns)],
        ["---"] + [":---:"] * len(columns),
        *(
            [version, *(by_place.get((version, column), "") for column in columns)]
            for version in dict.fromkeys(cell.version for cell in cells)
        ),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def marks_in(page: str) -> dict[str, str]:
    """What a page says of each cell, which was not run if the page does not know it."""
    found: dict[tuple[str, str], str] = {}
    for table in _part(page).split("\n\n"):
        head, _line, *rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]
        for row in rows:
            found.update({(row[0], column.replace("Python ", "")): mark for column, mark in zip(head, row)})
    return {cell.name: found.get((cell.version, cell.column), NOT_RUN) for cell in CELLS}


def updated(page: str, marks: Mapping[str, str]) -> str:
    """The page with these marks in its tables; the other cells keep theirs."""
    return page.replace(_part(page), tables({**marks_in(page), **marks}))


def _part(page: str) -> str:
    found = re.search(re.escape(BEGIN) + "(.*)" + re.escape(END), page, re.DOTALL)
    assert found, f"the page has no {BEGIN.strip()} … {END.strip()}"
    return found.group(1)
