"""What is unwise in the settings of a campaign: allowed, since somebody may mean it, but said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from aiida_anial.active_learning.forecast import Forecast, Speed, forecast
from aiida_anial.active_learning.settings import CampaignInputs

__all__ = ('advice', 'beyond_protocol')


@dataclass(frozen=True)
class _Rule:
    """The usual range of a setting.

    :param key: path of the key; of a pair of numbers, both count.
    :param low: least usual value.
    :param high: largest usual value.
    :param why: what happens outside.
    """

    key: str
    low: float
    high: float
    why: str


_INF: Final = float('inf')
_RULES: Final = (
    _Rule('model.n_members', 4, 32, 'few members agree by chance, and many cost more than they tell'),
    _Rule('cells.density_g_per_cm3', 0.5, 8.0, 'aluminium has 2.7, its liquid 2.4'),
    _Rule('schedules.t_max_ps', 0.3, _INF, 'shorter trajectories remain close to their random cells'),
    _Rule('schedules.t_0_ps', 0.1, _INF, 'it is a period in ps, not in fs'),
    _Rule('schedules.t_start_k', 0.0, 10000.0, 'atoms come too close for a label that means anything'),
    _Rule('schedules.t_end_k', 0.0, 10000.0, 'atoms come too close for a label that means anything'),
    _Rule('schedules.pressure_gpa', 0.0, 200.0, 'cores of pseudopotentials overlap'),
    _Rule('sampling.dynamics.time_step_fs', 0.2, 3.0, 'the fastest vibration of aluminium takes 100 fs; 1 to 2 fs do'),
    _Rule('sampling.dynamics.friction_per_fs', 0.0, 0.1, 'atoms forget their velocity within 10 fs'),
    _Rule('sampling.dynamics.min_contact_angstrom', 1.3, 2.2, 'crystals have 2.8, hot liquids 1.8'),
    _Rule('training.initial.learning_rate', 0.0, 0.02, 'members diverge'),
    _Rule('training.retrain.learning_rate', 0.0, 0.02, 'members diverge'),
    _Rule('training.final.learning_rate', 0.0, 0.02, 'members diverge'),
    _Rule('label.limits.max_failed_fraction', 0.0, 0.5, 'a campaign goes on although most of its labels fail'),
    _Rule('label.limits.max_force_ev_per_angstrom', 15.0, _INF, 'labels of usual random cells are rejected'),
    _Rule('label.qe.ecutwfc_ry', 14.0, 150.0, 'labels are poor below, and above the time is wasted'),
    _Rule('label.qe.degauss_ry', 0.005, 0.08, 'forces are off by 0.03 eV/angstrom above, and k-points by far'),
    _Rule('label.qe.conv_thr_ry', 0.0, 1e-3, 'labels have noise of meV/atom'),
)
# What a campaign takes, relative to its protocol, before it is said.
_FACTOR: Final = 5
# Seconds of single steps, of which only the ratio of two forecasts matters.
_UNIT: Final = Speed(label_s=1.0, atom_step_s=1.0, training_step_s=1.0, job_s=0.0, n_atoms=1.0)
_PARTS: Final = {'labels': 'labels', 'dynamics': 'steps of dynamics', 'training': 'steps of training'}


def advice(inputs: CampaignInputs) -> list[str]:
    """Return one sentence for each setting that is far from what is usual."""
    values = inputs.to_dict()
    if inputs.label.labeller != 'qe':
        del values['label']['qe']
    found = []
    for rule in _RULES:
        numbers = _numbers(_at(values, rule.key))
        if any(not rule.low <= one <= rule.high for one in numbers):
            shown = ' to '.join(f'{one:g}' for one in numbers)
            found.append(f'{rule.key}: {shown} is unusual, where {_usual(rule)}: {rule.why}.')
    return found


def beyond_protocol(inputs: CampaignInputs, protocol: CampaignInputs, name: str) -> list[str]:
    """Return one sentence for each part of a campaign that takes many times what it does in its protocol.

    :param protocol: the settings of the protocol without overrides.
    :param name: name of the protocol.
    """
    return list(_excesses(forecast(inputs, _UNIT), forecast(protocol, _UNIT), name))


def _excesses(course: Forecast, usual: Forecast, name: str) -> Iterator[str]:
    for part, text in _PARTS.items():
        factor = course.seconds[part] / max(usual.seconds[part], 1.0)
        if factor >= _FACTOR:
            yield f'{text}: about {factor:,.0f} times as many as in the protocol {name}.'


def _at(values: Any, key: str) -> Any:
    """Return the value at a path of keys, None if there is none."""
    for part in key.split('.'):
        values = (values or {}).get(part)
    return values


def _numbers(value: Any) -> list[float]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _usual(rule: _Rule) -> str:
    if rule.high == _INF:
        return f'{rule.low:g} or more are usual'
    return f'{rule.low:g} to {rule.high:g} are usual' if rule.low else f'at most {rule.high:g} are usual'
