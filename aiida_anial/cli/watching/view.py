"""The live screen of a process, for terminals from 80 columns and 24 lines on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from aiida_anial.queries.campaign_words import duration
from aiida_anial.queries.stages import Running, Stage, stages_of

__all__ = ('View', 'sparkline')

_BLOCKS: Final = '▁▂▃▄▅▆▇█'
_BAR: Final = 30
# Running jobs that are listed, those that have run longest.
_LISTED: Final = 4
_ERRORS: Final = (
    ('fresh energy', 'fresh_energy_rmse_mev_per_atom', 'meV/atom', 1),
    ('fresh forces', 'fresh_force_rmse_ev_per_angstrom', 'eV/Å', 3),
    ('test energy', 'test_energy_rmse_mev_per_atom', 'meV/atom', 1),
    ('test forces', 'test_force_rmse_ev_per_angstrom', 'eV/Å', 3),
)


def sparkline(values: Sequence[float]) -> str:
    """Return values as a line of blocks, the highest for the largest one, the lowest for zero."""
    largest = max(values, default=0.0)
    if largest <= 0:
        return _BLOCKS[0] * len(values)
    return ''.join(_BLOCKS[min(int(value / largest * len(_BLOCKS)), len(_BLOCKS) - 1)] for value in values)


@dataclass
class View:
    """What the screen shows of a process.

    :param name: what the process is called.
    :param status: result of ``campaign_status`` for a campaign, otherwise None.
    :param running: the process and its descendants that are alive.
    :param elapsed_s: seconds since its creation.
    :param remaining_s: seconds until its end, None if that cannot be told.
    :param messages: its reports, the oldest first.
    :param note: what to do before it goes on; empty if it does.
    """

    name: str
    status: dict[str, Any] | None = None
    running: Sequence[Running] = ()
    elapsed_s: float = 0.0
    remaining_s: float | None = None
    messages: list[str] = field(default_factory=list)
    note: str = ''

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines; messages fill what the others leave free."""
        height = options.height or console.height
        above = [self._title(), Text(), *self._bars(), *self._jobs(), Text(), *self._course(), *self._paused()]
        rows = [line for part in above for line in console.render_lines(part, options.update(height=None), pad=False)]
        free = max(height - len(rows) - 2, 0)
        shown = [Text(message, overflow='ellipsis', no_wrap=True) for message in self.messages[-free:] if free]
        foot = Text('Ctrl-C leaves this screen; the process goes on.', style='dim')
        yield from (*above, *shown, *[Text()] * (free - len(shown) + 1), foot)

    def _title(self) -> Text:
        parts = [self.name, duration(self.elapsed_s)]
        pace = self.status['pace'] if self.status is not None else {}
        if pace.get('labels_per_hour') is not None:
            parts.append(f'{pace["labels_per_hour"]:.0f} labels an hour')
        if pace.get('expected_end') is not None:
            parts.append(f'ends by about {datetime.fromisoformat(pace["expected_end"]).astimezone():%H:%M}')
        elif self.remaining_s is not None:
            parts.append(f'about {duration(self.remaining_s)} left')
        return Text(', '.join(parts), style='bold', no_wrap=True, overflow='ellipsis')

    def _bars(self) -> Iterator[Table]:
        """Yield the stages that count."""
        stages = list(stages_of(list(self.running)))
        if not stages:
            return
        table = Table.grid(padding=(0, 2, 0, 0))
        for stage in stages:
            table.add_row(stage.what, self._bar(stage), f'{stage.done} of {stage.total}')
        yield table

    @staticmethod
    def _bar(stage: Stage) -> ProgressBar:
        return ProgressBar(total=max(stage.total, 1), completed=stage.done, width=_BAR)

    def _jobs(self) -> Iterator[Text]:
        """Yield what runs, the longest first."""
        jobs = sorted((one for one in self.running if one.is_job), key=lambda one: -one.elapsed_s)
        for one in jobs[:_LISTED]:
            label = f' {one.label}' if one.label else ''
            yield Text(f'{one.name}<{one.pk}>{label}, {duration(one.elapsed_s)}', no_wrap=True, overflow='ellipsis')
        if others := Counter(one.name for one in jobs[_LISTED:]):
            yield Text(f'and {", ".join(f"{number} {name}" for name, number in others.items())}')

    def _course(self) -> Iterator[Table | Text]:
        """Yield the labels and the errors of a campaign so far."""
        if self.status is None:
            return
        rejected = f', {self.status["n_rejected"]} rejected' if self.status['n_rejected'] else ''
        newest = self.status['newest_ensemble']
        ensemble = f'; newest ensemble {newest}' if newest is not None else ''
        yield Text(f'{self.status["n_labels"]} labels{rejected}{ensemble}')
        table = Table.grid(padding=(0, 2, 0, 0))
        for name, key, unit, digits in _ERRORS:
            values = [row[key] for row in self.status['iterations'] if row[key] is not None]
            if values:
                first, last = f'{values[0]:.{digits}f}', f'{values[-1]:.{digits}f} {unit}'
                table.add_row(name, sparkline(values), f'{first} to {last}' if len(values) > 1 else last)
        if table.row_count:
            yield table
            yield Text()

    def _paused(self) -> Iterator[Text]:
        """Yield what keeps the process from going on."""
        paused = self.status['paused'] if self.status is not None else []
        for one in paused:
            text = f'{one["process_label"]}<{one["pk"]}> is paused: {one["reason"]}. Then run: {one["command"]}'
            yield Text(text, style='bold yellow')
        if self.note:
            yield Text(self.note, style='bold yellow')
