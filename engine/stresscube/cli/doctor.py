"""`stresscube doctor`: what each backend needs and has."""

from __future__ import annotations

from dataclasses import asdict

from rich.markup import escape
from rich.table import Table

from stresscube import doctor
from stresscube.cli.as_json import emit
from stresscube.cli.console import console
from stresscube.doctor import Finding


def diagnose(*, as_json: bool = False) -> None:
    """Print one paragraph a backend, and what --backend auto takes."""
    if as_json:
        backends = [asdict(finding) for finding in doctor.findings()]
        emit({"program": doctor.program(), "backends": backends, "automatic": doctor.automatic()})
        return
    out = console()
    out.print(escape(doctor.program()))
    out.print()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in doctor.findings():
        state = "[green]ready[/]" if finding.ready else "[yellow]missing[/]"
        lines = _lines(finding)
        table.add_row(finding.backend, state, lines[0])
        for line in lines[1:]:
            table.add_row("", "", line)
    out.print(table)
    out.print()
    out.print(f"[bold]--backend auto[/] takes {escape(doctor.automatic())}", soft_wrap=True)


def _lines(finding: Finding) -> list[str]:
    lines = [escape(line) for line in finding.found]
    lines += [escape(finding.missing)] if finding.missing else []
    lines += [f"to have it: {escape(finding.mend)}"] if finding.mend else []
    return lines
