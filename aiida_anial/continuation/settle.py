"""Decide which results of a campaign remain valid under the settings of the one that continues it."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.errors import AnialError
from aiida_anial.labellers.labeller import Labeller
from aiida_anial.labellers.registry import labeller_named

__all__ = ('settle',)


def settle(campaign: Any, done: dict[str, Any], *, old: CampaignInputs, new: CampaignInputs, joined: bool) -> None:
    """Remove from ``done`` what is no longer valid, and add the verdict if it still is.

    :param done: the campaign's ``progress``; changed in place.
    :param joined: whether labels of other campaigns or datasets are added.
    :raises AnialError: if nothing is left to do.
    """
    if joined or new.model != old.model:
        _forget_ensembles(done, keep_weights=new.model == old.model)
    if _initial(new) != _initial(old):
        _forget_unlabelled_cells(done, labeller_named(old.label.labeller))
    if _labelled_by(new) != _labelled_by(old):
        _forget_failures(done)
    verdict = None if joined or _asks_for_more(old, new) else _verdict(done)
    n_done = done['iteration'].value if 'iteration' in done else 0
    if verdict is None and n_done < new.campaign.max_iterations:
        done.pop('final', None)
        return
    if verdict is not None:
        done['verdict'] = orm.Str(verdict)
    if 'summary' in done.get('training', {}) and not _settle_final(campaign, done, new):
        raise AnialError(_nothing_to_do(campaign, verdict, n_done))


def _forget_ensembles(done: dict[str, Any], *, keep_weights: bool) -> None:
    """Forget that the ensemble was trained on all labels; with another model, forget the ensemble too."""
    ensemble = done.pop('training', {}).get('ensemble')
    if ensemble is not None and keep_weights:
        done['training'] = {'ensemble': ensemble}
    done.pop('final', None)
    for name in ('training', 'fresh_errors'):
        done.get('next', {}).pop(name, None)


def _initial(inputs: CampaignInputs) -> tuple[Any, ...]:
    """Return the settings that determine the initial cells."""
    return inputs.seed, inputs.cells, inputs.campaign.n_initial_cells


def _forget_unlabelled_cells(done: dict[str, Any], labeller: Labeller) -> None:
    """Keep only the initial cells that have a label; the rest are drawn again."""
    labels = done.get('label', {})
    labelled = labeller.taken_over(labels)
    if 'cells' in done and labelled is not None:
        done['cells'] = {name: cell for name, cell in done['cells'].items() if name in labelled}
    labels.pop('failures', None)


def _forget_failures(done: dict[str, Any]) -> None:
    """Forget failed labels, so that they are calculated again with the new settings."""
    for holder in (done, *done.get('next', {}).get('cycles', {}).values()):
        holder.get('label', {}).pop('failures', None)


def _labelled_by(inputs: CampaignInputs) -> dict[str, Any]:
    """Return the settings of the labeller, without its limits and the job of a potential."""
    return {name: value for name, value in inputs.label.to_dict().items() if name not in {'limits', 'job'}}


def _asks_for_more(old: CampaignInputs, new: CampaignInputs) -> bool:
    """Return whether the verdict could differ under the new settings."""
    return _judged_by(old) != _judged_by(new)


def _judged_by(inputs: CampaignInputs) -> dict[str, Any]:
    """Return the settings that determine the results of a campaign, without its length and its resources."""
    values = inputs.to_dict()
    limits, campaign, training = values['label']['limits'], values['campaign'], values['training']
    labeller = labeller_named(inputs.label.labeller)
    values['label'] = {'labeller': labeller.name, 'limits': limits, 'identity': labeller.identity(inputs.label)}
    for holder, names in (
        (values, ('description', 'engine', 'benchmark')),
        (campaign, ('max_iterations', 'max_iterations_is_failure')),
        (training, ('job', 'final', 'threads')),
        (values['sampling'], ('job',)),
        (limits, ('max_concurrent',)),
    ):
        for name in names:
            holder.pop(name, None)
    return values


def _verdict(done: dict[str, Any]) -> str | None:
    """Return the verdict of the last iteration."""
    summaries = done.get('summaries', {})
    if not summaries or 'next' in done:
        return None
    last = summaries[max(summaries)]
    if last['converged']:
        return 'converged'
    return None if last['n_labels'] else 'nothing to label'


def _settle_final(campaign: Any, done: dict[str, Any], new: CampaignInputs) -> bool:
    """Keep the final training if the settings ask for the same one; return whether anything is left to do."""
    final, wanted = done.get('final', {}), new.training.final
    if 'ensemble' in final:
        trained = final['ensemble'].creator.inputs.settings.get_dict()
        if wanted is None or trained != wanted.to_dict():
            done.pop('final')
            return wanted is not None
    return not campaign.is_finished or (wanted is not None and 'ensemble' not in final)


def _nothing_to_do(campaign: Any, verdict: str | None, n_done: int) -> str:
    ended = f'ended with the verdict {verdict!r}' if verdict else 'has used up its iterations'
    hint = (
        'change thresholds, schedules or another setting on which the verdict depends'
        if verdict
        else f'raise campaign.max_iterations above {n_done}'
    )
    return f'--continue-from: campaign {campaign.pk} {ended}, and there is nothing left to do; {hint}.'
