"""What the figures show of a property, in words: `figures` draws it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiida_anial.properties.quantity import PropertyResult

__all__ = ('Bands', 'Curve', 'Panel', 'Points', 'Sizes')


@dataclass(frozen=True, kw_only=True)
class Panel(ABC):
    """One panel of a figure.

    :param figure: name of its file; panels of several properties may share a figure, all of one kind.
    :param title: above the panel.
    """

    figure: str
    title: str = ''

    @abstractmethod
    def is_in(self, result: PropertyResult) -> bool:
        """Return whether the result has what the panel shows."""


@dataclass(frozen=True, kw_only=True)
class Curve(Panel):
    """A curve, with the disagreement of the members as a band.

    :param x: name of the curve with the abscissae.
    :param y: name of the curve with the ordinates.
    :param x_label: with its unit.
    :param y_label: with its unit.
    :param disagreement: name of the curve with the standard deviation over members, in the unit of the ordinates.
    :param scale: from the unit of the curves to that of the label, and of ``rmse``.
    :param ticks: names of points on the abscissa, for the upper edge.
    :param literature: quantities of which numbers from the literature are drawn, by their abscissae.
    :param rmse: name of the quantity that is the root mean square deviation from the curve of a reference; empty where
        the curves are not compared.
    """

    x: str
    y: str
    x_label: str
    y_label: str
    disagreement: str = ''
    scale: float = 1.0
    ticks: Mapping[float, str] = field(default_factory=dict)
    literature: Mapping[float, str] = field(default_factory=dict)
    rmse: str = ''

    def is_in(self, result: PropertyResult) -> bool:
        """Return whether both curves are there."""
        return self.x in result.curves and self.y in result.curves


@dataclass(frozen=True, kw_only=True)
class Points(Panel):
    """Quantities of one unit side by side, with the literature.

    :param labels: of the quantities, by name.
    :param y_label: with its unit.
    :param width: in inches.
    :param zero: whether a line marks 0.
    :param linear_below: the ordinate is logarithmic above this value; None: linear everywhere.
    :param levels: quantities of the literature that are drawn as a horizontal line, and what they are of.
    """

    labels: Mapping[str, str]
    y_label: str
    width: float
    zero: bool = False
    linear_below: float | None = None
    levels: Mapping[str, str] = field(default_factory=dict)

    def is_in(self, result: PropertyResult) -> bool:
        """Return whether any of the quantities is there."""
        return not self.labels.keys().isdisjoint(result.quantities)


@dataclass(frozen=True, kw_only=True)
class Sizes(Panel):
    """A quantity against the inverse size of the cell, and its limit.

    :param n: name of the curve with the sizes.
    :param y: name of the curve with the values.
    :param x_label: of the inverse size.
    :param y_label: with its unit.
    :param disagreement: name of the curve with the standard deviation over members.
    :param limit: name of the quantity in an infinite cell.
    :param literature: name of the quantity of which numbers from the literature stand beside the limit.
    """

    n: str
    y: str
    x_label: str
    y_label: str
    disagreement: str
    limit: str
    literature: str

    def is_in(self, result: PropertyResult) -> bool:
        """Return whether there is a value for any size."""
        return self.n in result.curves and self.y in result.curves


@dataclass(frozen=True, kw_only=True)
class Bands(Panel):
    """Frequencies along a path through the Brillouin zone, and their density of states beside them.

    :param distance: name of the curve with the distances along the path, ``[K]``.
    :param frequencies: name of the curve with the frequencies, ``[K, B]``, of B branches.
    :param ticks: name of the curve with the distances of the named points.
    :param tick_labels: names of these points.
    :param states_frequency: name of the curve with the frequencies of the density of states.
    :param states: name of the curve with the density of states.
    :param y_label: of the frequencies, with its unit.
    :param states_label: of the density of states, with its unit.
    :param literature: quantities of which numbers from the literature are drawn, by the index of their point.
    """

    distance: str
    frequencies: str
    ticks: str
    tick_labels: tuple[str, ...]
    states_frequency: str
    states: str
    y_label: str
    states_label: str
    literature: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def is_in(self, result: PropertyResult) -> bool:
        """Return whether all of the curves are there."""
        needed = (self.distance, self.frequencies, self.ticks, self.states_frequency, self.states)
        return result.curves.keys() >= set(needed)
