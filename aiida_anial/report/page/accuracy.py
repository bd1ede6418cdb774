"""The section on errors: predictions beside labels, claimed beside true errors, and the course of the training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aiida_anial.common.labels import LabelledCells
from aiida_anial.report.claims import Claims
from aiida_anial.report.page.elements import Axis, Chart, Section, Series, evenly
from aiida_anial.report.page.sources import PageSources
from aiida_anial.report.parity import parity_on_test_blocks
from aiida_anial.training.errors import ConfigurationErrors
from aiida_anial.training.splits import Role

__all__ = ('accuracy_section', 'by_origin')

# Configurations of which the members compute forces, and force components that are drawn.
_EVALUATED: Final = 300
_COMPONENTS: Final = 3000


def accuracy_section(sources: PageSources) -> Section | None:
    """Return the section on errors, or None if there is no ensemble yet."""
    if sources.ensemble is None or (errors := sources.last_errors) is None:
        return None
    charts = [*_energy_parity(sources, errors), *_force_parity(sources), *_claims(sources), *_learning(sources)]
    return Section(
        key='accuracy',
        title='Errors',
        paragraphs=(
            f'Predictions are those of the newest ensemble, {sources.ensemble.pk}, by members that have not seen the '
            'label. What the disagreement claims was calibrated before the label was known.',
        ),
        charts=charts,
    )


def _energy_parity(sources: PageSources, errors: ConfigurationErrors) -> Iterator[Chart]:
    """Yield the predictions of those members whose test block has the label."""
    unseen = errors.roles == Role.TEST
    known = unseen.any(axis=0)
    if not known.any():
        return
    predicted = np.where(unseen, errors.member_energies, 0.0).sum(axis=0) / np.maximum(unseen.sum(axis=0), 1)
    rows = np.array(sources.rows_in(sources.trained_on))
    shown = np.flatnonzero(known & (rows >= 0))
    true, found = errors.label_energies / errors.n_atoms, predicted / errors.n_atoms
    rmse = 1e3 * float(np.sqrt(np.mean((found - true)[known] ** 2)))
    yield Chart(
        title='Energies of labels that a member has not seen',
        x=Axis(label='label (eV/atom)'),
        y=Axis(label='ensemble (eV/atom)'),
        series=by_origin(sources.labels, rows[shown], true[shown], found[shown]),
        is_parity=True,
        note=f'{np.count_nonzero(known)} labels, root mean square {rmse:.1f} meV/atom.',
    )


def by_origin(labels: Sequence[dict[str, Any]], rows: Sequence[int] | NDArray[Any], x: Any, y: Any) -> list[Series]:
    """Return a series for each origin of labels.

    :param labels: records of the kind ``labels``.
    :param rows: ``[K]`` their rows that are drawn.
    :param x: ``[K]`` abscissae.
    :param y: ``[K]`` ordinates.
    """
    origins = np.array([labels[row]['origin'] for row in rows])
    x, y, rows = np.asarray(x, dtype=float), np.asarray(y, dtype=float), np.asarray(rows)
    series = []
    # Random cells first, since they scatter most.
    for index, origin in enumerate(sorted(set(origins.tolist()), reverse=True)):
        chosen = np.flatnonzero(origins == origin)
        name = f'{origin.replace("_", " ")} ({len(chosen)})'
        points = {'x': x[chosen].tolist(), 'y': y[chosen].tolist(), 'rows': rows[chosen].tolist()}
        series.append(Series(name=name, of='labels', colour=index, **points))
    return series


def _force_parity(sources: PageSources) -> Iterator[Chart]:
    """Yield the force components by members whose test block has the label."""
    assert sources.ensemble is not None
    shards = sources.trained_on
    labelled = LabelledCells.concatenate([sources.shards[shard.pk] for shard in shards.values() if shard.pk])
    chosen = np.array(evenly(len(labelled), _EVALUATED))
    parity = parity_on_test_blocks(sources.ensemble.ensemble, labelled.select(chosen))
    if parity is None:
        return
    rows = np.array(sources.rows_in(shards))[chosen][parity.rows]
    true, found = parity.forces.ravel(), parity.predicted_forces.ravel()
    of_component = np.repeat(rows, 3 * parity.n_atoms)
    shown = np.array([index for index in evenly(len(true), _COMPONENTS) if of_component[index] >= 0])
    cut = f', of which {len(shown):,} are drawn' if len(shown) < len(true) else ''
    yield Chart(
        title='Force components of labels that a member has not seen',
        x=Axis(label='label (eV/Å)'),
        y=Axis(label='member (eV/Å)'),
        series=by_origin(sources.labels, of_component[shown], true[shown], found[shown]),
        is_parity=True,
        note=f'{len(true):,} components in {len(set(rows.tolist()))} labels{cut}; root mean square '
        f'{parity.force_rmse_ev_per_angstrom:.3f} eV/Å.',
    )


def _claims(sources: PageSources) -> Iterator[Chart]:
    claims = Claims.of(sources.fresh)
    if claims is None:
        return
    rows = np.array(sources.fresh_rows(dict.fromkeys(claims.iterations.tolist())))
    for title, claimed, true, unit in (
        ('Energies: claimed and true error', claims.claimed_energies, claims.energies, 'meV/atom'),
        ('Forces: claimed and true error', claims.claimed_forces, claims.forces, 'eV/Å'),
    ):
        yield Chart(
            title=title,
            x=Axis(label=f'claimed ({unit})', is_logarithmic=True),
            y=Axis(label=f'true ({unit})', is_logarithmic=True),
            series=list(_by_iteration(claims.iterations, claimed, true, rows)),
            is_parity=True,
            note=f'{np.mean(true < claimed):.0%} of {len(claims)} fresh labels have a smaller error than claimed.',
        )


def _by_iteration(
    iterations: NDArray[np.int64], x: NDArray[Any], y: NDArray[Any], rows: NDArray[np.int64]
) -> Iterator[Series]:
    known = sorted(set(iterations.tolist()))
    for index, number in enumerate(known):
        chosen = iterations == number
        shade = index / max(len(known) - 1, 1)
        points: dict[str, Any] = {'x': x[chosen].tolist(), 'y': y[chosen].tolist(), 'rows': rows[chosen].tolist()}
        yield Series(name=f'iteration {number}', of='labels', shade=shade, **points)


def _learning(sources: PageSources) -> Iterator[Chart]:
    assert sources.ensemble is not None
    curves = sources.ensemble.creator.outputs.learning_curves
    steps = curves.get_array('step')
    row = [one['pk'] for one in sources.ensembles].index(sources.ensemble.pk)
    for key, unit in (('energy', 'meV/atom'), ('force', 'eV/Å')):
        series = [
            Series(
                name=role,
                x=steps.tolist(),
                y=np.median(curves.get_array(f'{role}_{key}_rmse'), axis=0).tolist(),
                draw='line',
                of='ensembles',
                rows=[row] * len(steps),
            )
            for role in ('train', 'validation')
        ]
        yield Chart(
            title=f'Training of the newest ensemble: {key}',
            x=Axis(label='step'),
            y=Axis(label=f'root mean square ({unit})', is_logarithmic=True),
            series=series,
            note='Median of the members.',
        )
