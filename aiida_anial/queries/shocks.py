"""Shock waves in the graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiida import orm

from aiida_anial.common.quantity import Quantity
from aiida_anial.data.ensemble import EnsembleData
from aiida_anial.data.nodes import loaded
from aiida_anial.shock.wave_input import FRAMES
from aiida_anial.shock.wave_output import Profiles

__all__ = ('Shock', 'frames_of', 'load_shock', 'plugin_of', 'shock_of')


@dataclass(frozen=True, eq=False)
class Shock:
    """What a shock has found so far.

    :param waves: profiles and Hugoniot point of each wave, by name, the slowest first.
    :param by_radius: errors of forces by radius; empty if nothing was labelled.
    """

    waves: dict[str, tuple[Profiles, dict[str, Quantity]]]
    by_radius: list[dict[str, Any]]


def load_shock(identifier: str) -> Any | None:
    """Return the shock with this pk or UUID, or None if the node is something else.

    :raises AnialError: if there is no such node.
    """
    node = loaded(identifier, 'ENSEMBLE', or_file=True)
    return node if getattr(node, 'process_label', None) == 'ShockWorkChain' else None


def shock_of(node: Any) -> Shock:
    """Return what a shock has found."""
    outgoing = {link.link_label: link.node for link in node.base.links.get_outgoing().all()}
    waves = {}
    for label, point in outgoing.items():
        if label.startswith('points__'):
            name = label.removeprefix('points__')
            arrays = outgoing[f'profiles__{name}']
            profiles = Profiles.from_arrays({one: arrays.get_array(one) for one in arrays.get_arraynames()})
            waves[name] = (profiles, {key: Quantity.parse(value) for key, value in point.get_dict().items()})
    ordered = dict(sorted(waves.items(), key=lambda item: item[1][1]['particle_velocity'].value))
    comparison = outgoing.get('comparison')
    return Shock(ordered, comparison['by_radius'] if comparison is not None else [])


def frames_of(node: Any) -> Iterator[tuple[str, bytes]]:
    """Yield the name of each wave that has ended well, and its frames, as LAMMPS wrote them."""
    for link in node.base.links.get_outgoing(link_label_filter='points\\_\\_%').all():
        files = link.node.creator.inputs.retrieved.base.repository
        yield link.link_label.removeprefix('points__'), files.get_object_content(FRAMES, 'rb')


def plugin_of(ensemble: EnsembleData, options: dict[str, Any]) -> orm.FolderData | None:
    """Return sources that were exported from an ensemble with these options, or None.

    :param options: settings of ``export_sources``.
    """
    query = orm.QueryBuilder().append(EnsembleData, filters={'id': ensemble.pk}, tag='ensemble')
    query.append(
        orm.CalcFunctionNode,
        with_incoming='ensemble',
        filters={'attributes.process_label': 'export_sources', 'attributes.exit_status': 0},
        tag='export',
    )
    query.append(orm.Dict, with_outgoing='export', project='attributes')
    query.append(orm.FolderData, with_incoming='export', project='*')
    # SQLite cannot compare whole dictionaries.
    return next((folder for known, folder in query.all() if known == options), None)
