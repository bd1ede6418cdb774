"""Descriptions of the panels in which figures show a property; the package `figures` draws them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiida_anial.properties.quantity import PropertyResult

__all__ = ('Bands', 'Curve', 'Panel', 'Points', 'Sizes')


@dataclass(frozen=True, kw_only=True)
class Panel(ABC):
    """One panel of a figure.

    :param figure: name of the file of the figure. Panels of several properties may share a figure; all must be of one
        class.
    :param title: title of the panel.
    """

    figure: str
    title: str = ''

    @abstractmethod
    def is_in(self, result: PropertyResult) -> bool:
        """Return whether the result contains the data of the panel."""


@dataclass(frozen=True, kw_only=True)
class Curve(Panel):
    """A curve, with the disagreement of the members as a band.

    :param x: name of the curve with the abscissae.
    :param y: name of the curve with the ordinates.
    :param x_label: label of the abscissa, with its unit.
    :param y_label: label of the ordinate, with its unit.
    :param disagreement: name of the curve with the standard deviation over members, in the unit of the ordinates.
    :param scale: factor from the unit of the curve to that of ``y_label`` and of ``rmse``.
    :param ticks: names of points on the abscissa, shown at the upper edge.
    :param literature: quantities whose literature values are drawn, by abscissa.
    :param rmse: name of the quantity for the root mean square deviation from the curve of a reference; empty if the
        curves are not compared.
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
        """Return whether the result has both curves."""
        return self.x in result.curves and self.y in result.curves


@dataclass(frozen=True, kw_only=True)
class Points(Panel):
    """Quantities of one unit side by side, with literature values.

    :param labels: labels of the quantities, by name.
    :param y_label: label of the ordinate, with its unit.
    :param width: width in inches.
    :param zero: whether a line marks 0.
    :param linear_below: the ordinate is logarithmic above this value; None means linear everywhere.
    :param levels: quantities whose literature values are drawn as horizontal lines, with the text for the legend.
    """

    labels: Mapping[str, str]
    y_label: str
    width: float
    zero: bool = False
    linear_below: float | None = None
    levels: Mapping[str, str] = field(default_factory=dict)

    def is_in(self, result: PropertyResult) -> bool:
        """Return whether the result has any of the quantities."""
        return not self.labels.keys().isdisjoint(result.quantities)


@dataclass(frozen=True, kw_only=True)
class Sizes(Panel):
    """A quantity against the inverse size of the cell, with its limit for an infinite cell.

    :param n: name of the curve with the sizes.
    :param y: name of the curve with the values.
    :param x_label: label of the inverse size.
    :param y_label: label of the ordinate, with its unit.
    :param disagreement: name of the curve with the standard deviation over members.
    :param limit: name of the quantity for an infinite cell.
    :param literature: name of the quantity whose literature values are drawn next to the limit.
    """

    n: str
    y: str
    x_label: str
    y_label: str
    disagreement: str
    limit: str
    literature: str

    def is_in(self, result: PropertyResult) -> bool:
        """Return whether the result has both curves."""
        return self.n in result.curves and self.y in result.curves


@dataclass(frozen=True, kw_only=True)
class Bands(Panel):
    """Frequencies along a path through the Brillouin zone, with their density of states.

    :param distance: name of the curve with the distances along the path, ``[K]``.
    :param frequencies: name of the curve with the frequencies ``[K, B]`` of B branches.
    :param ticks: name of the curve with the distances of the named points.
    :param tick_labels: names of these points.
    :param states_frequency: name of the curve with the frequencies of the density of states.
    :param states: name of the curve with the density of states.
    :param y_label: label of the frequencies, with its unit.
    :param states_label: label of the density of states, with its unit.
    :param literature: quantities whose literature values are drawn, by the index of their named point.
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
        """Return whether the result has all of the curves."""
        needed = (self.distance, self.frequencies, self.ticks, self.states_frequency, self.states)
        return result.curves.keys() >= set(needed)
