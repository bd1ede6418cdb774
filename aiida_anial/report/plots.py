"""Draw the plots of a release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from aiida_anial.properties.figures.style import RC, save_figure
from aiida_anial.report.claims import Claims
from aiida_anial.report.parity import Parity

__all__ = (
    'claims_figure',
    'energy_density_figure',
    'iterations_figure',
    'learning_figure',
    'parity_figure',
    'write_plots',
)

_ENERGY = 'energy_rmse_mev_per_atom'
_FORCE = 'force_rmse_ev_per_angstrom'


def iterations_figure(iterations: Sequence[Mapping[str, Any]]) -> Figure:
    """Plot labels, errors, thresholds and stopping times against the iteration.

    :param iterations: rows of ``campaign_status``; missing values are ``None``.
    """
    figure = Figure(figsize=(9, 5), layout='constrained')
    axes = figure.subplots(2, 3, sharex=True)
    x = _column(iterations, 'index')
    labels, stopped = axes[0, 0], axes[1, 0]
    labels.bar(x, np.cumsum(_column(iterations, 'n_labels')))
    labels.set_ylabel('labels so far')
    n_trajectories = _column(iterations, 'n_trajectories')
    fraction = np.divide(_column(iterations, 'n_stopped'), n_trajectories, where=n_trajectories > 0, out=_nans(x))
    stopped.plot(x, fraction, 'o-')
    stopped.set(ylabel='fraction of trajectories\nstopped by disagreement', ylim=(-0.05, 1.05))
    for axis, key, text in ((axes[0, 1], _ENERGY, 'energy RMSE (meV/atom)'), (axes[0, 2], _FORCE, 'force RMSE (eV/Å)')):
        for kind, marker in (('fresh', 's--'), ('test', 'o-')):
            axis.plot(x, _column(iterations, f'{kind}_{key}'), marker, label=f'{kind} labels')
        axis.set_ylabel(text)
        axis.legend()
    for axis, key, text in (
        (axes[1, 1], 'threshold_ev_per_sqrt_atom', 'threshold of the\ndisagreement (eV/√atom)'),
        (axes[1, 2], 'median_time_ps', 'median time of a\ntrajectory to its end (ps)'),
    ):
        axis.plot(x, _column(iterations, key), 'o-')
        axis.set_ylabel(text)
    for axis in (*axes[0, 1:], *axes[1, 1:]):
        axis.axhline(0.0, color='0.5', linewidth=0.8)
    for axis in axes[1]:
        axis.set_xlabel('iteration')
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def energy_density_figure(labels: Sequence[Mapping[str, Any]]) -> Figure:
    """Plot the energy per atom against the density, one colour per origin.

    :param labels: records of the kind ``labels``.
    """
    figure = Figure(figsize=(6, 4.5), layout='constrained')
    axis = figure.subplots()
    for origin in sorted({label['origin'] for label in labels}, reverse=True):
        chosen = [label for label in labels if label['origin'] == origin]
        x, y = _column(chosen, 'density_g_per_cm3'), _column(chosen, 'energy_per_atom_ev')
        axis.scatter(x, y, s=9, alpha=0.6, rasterized=True, label=f'{origin.replace("_", " ")} ({len(chosen)})')
    axis.set(xlabel='density (g/cm³)', ylabel='energy per atom (eV)')
    axis.legend()
    return figure


def parity_figure(parity: Parity) -> Figure:
    """Plot predictions against labels on the test blocks, for energies per atom and force components."""
    figure = Figure(figsize=(9, 4.2), layout='constrained')
    energies, forces = figure.subplots(1, 2)
    _parity(energies, parity.energies / parity.n_atoms, parity.predicted_energies / parity.n_atoms)
    energies.set(xlabel='energy of the label (eV/atom)', ylabel='energy by the member (eV/atom)')
    energies.set_title(f'RMSE {parity.energy_rmse_mev_per_atom:.1f} meV/atom, {len(parity)} energies')
    _parity(forces, parity.forces.ravel(), parity.predicted_forces.ravel())
    forces.set(xlabel='force component of the label (eV/Å)', ylabel='force component by the member (eV/Å)')
    forces.set_title(f'RMSE {parity.force_rmse_ev_per_angstrom:.3f} eV/Å, {parity.forces.size} components')
    return figure


def _parity(axis: Axes, labels: NDArray[np.float64], predictions: NDArray[np.float64]) -> None:
    """Draw the points and the diagonal over the same range in both directions."""
    both = np.concatenate([labels, predictions])
    low, high = float(both.min()), float(both.max())
    margin = 0.05 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    axis.plot(limits, limits, color='0.5', linewidth=0.8)
    # `scatter` is slow for a million force components.
    axis.plot(labels, predictions, '.', markersize=4, alpha=0.5, rasterized=True)
    axis.set(xlim=limits, ylim=limits, aspect='equal')


def claims_figure(claims: Claims) -> Figure:
    """Plot the true errors on fresh labels against the claimed ones, one colour per iteration."""
    figure = Figure(figsize=(9, 4.2), layout='constrained')
    axes = figure.subplots(1, 2)
    for axis, claimed, true, text in (
        (axes[0], claims.claimed_energies, claims.energies, 'error of the energy (meV/atom)'),
        (axes[1], claims.claimed_forces, claims.forces, 'error of the forces (eV/Å)'),
    ):
        points = axis.scatter(claimed, true, c=claims.iterations, s=9, cmap='viridis', rasterized=True)
        axis.axline((claimed[0], claimed[0]), slope=1, color='0.5', linewidth=0.8)
        axis.set(xlabel=f'claimed {text}', ylabel=f'true {text}', xscale='log', yscale='log')
        axis.set_title(f'{np.mean(true < claimed):.0%} of {len(claims)} below the claim')
    figure.colorbar(points, ax=axes, label='iteration')
    return figure


def learning_figure(curves: Mapping[str, NDArray[Any]]) -> Figure:
    """Plot the errors on training and validation blocks against the steps: median and range of the members.

    :param curves: ``step`` ``[E]``, and curves ``[M, E]`` by name, in meV/atom and eV/angstrom.
    """
    figure = Figure(figsize=(9, 4), layout='constrained')
    axes = figure.subplots(1, 2)
    for axis, key, unit in zip(axes, ('energy', 'force'), ('meV/atom', 'eV/Å'), strict=True):
        for number, role in enumerate(('train', 'validation')):
            errors = curves[f'{role}_{key}_rmse']
            axis.plot(curves['step'], np.median(errors, axis=0), color=f'C{number}', label=f'{role}, median')
            low, high = errors.min(axis=0), errors.max(axis=0)
            axis.fill_between(
                curves['step'], low, high, color=f'C{number}', alpha=0.2, linewidth=0, label='all members'
            )
        axis.set(xlabel='step', ylabel=f'{key} RMSE ({unit})', yscale='log')
        axis.legend()
    return figure


def _column(rows: Sequence[Mapping[str, Any]], key: str) -> NDArray[np.float64]:
    """Return one column of the rows, with NaN for missing values."""
    return np.array([np.nan if row[key] is None else row[key] for row in rows], dtype=np.float64)


def _nans(like: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full_like(like, np.nan)


def write_plots(
    folder: Path,
    *,
    iterations: Sequence[Mapping[str, Any]],
    labels: Sequence[Mapping[str, Any]],
    curves: Mapping[str, NDArray[Any]],
    parity: Parity | None,
    claims: Claims | None,
) -> dict[str, str]:
    """Write the plots into ``folder``, and return their captions by name.

    :param iterations: rows of ``campaign_status``.
    :param labels: records of the kind ``labels``.
    :param curves: ``step`` and learning curves of the last training.
    :param parity: predictions on the test blocks; without them the parity plot is left out.
    :param claims: claimed errors on the fresh labels; without them their plot is left out.
    """
    captions: dict[str, str] = {}
    with matplotlib.style.context(RC):
        for name, caption, figure in _figures(iterations, labels, curves, parity, claims):
            captions[name] = caption
            save_figure(figure, folder, name)
    return captions


def _figures(
    iterations: Sequence[Mapping[str, Any]],
    labels: Sequence[Mapping[str, Any]],
    curves: Mapping[str, NDArray[Any]],
    parity: Parity | None,
    claims: Claims | None,
) -> Iterator[tuple[str, str, Figure]]:
    """Yield name, caption and figure of each plot."""
    yield 'iterations', 'The campaign by iteration.', iterations_figure(iterations)
    yield 'energy_density', 'Energy and density of every label, by origin.', energy_density_figure(labels)
    yield (
        'learning_curves',
        'Learning curves of the last training: median and range of the members.',
        learning_figure(curves),
    )
    if parity is not None:
        yield 'parity', 'Predictions of each member on its test block against the labels.', parity_figure(parity)
    if claims is not None:
        yield (
            'claimed_errors',
            'Errors on fresh labels beside those that the disagreement claims.',
            claims_figure(claims),
        )
