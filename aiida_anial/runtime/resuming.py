"""Run jobs again that AiiDA lost sight of, instead of giving up what they had done.

:hook: ``BaseRestartWorkChain.inspect_process``, ``results``, ``get_outputs``, ``on_terminated`` and its context
    (``ctx.children``, ``ctx.iteration``, ``ctx.inputs``, ``ctx.process_name``)
:changes: A job that was killed or excepted is run again; a second one in a row ends the chain. Where the machine was
    at fault the chain pauses each time. If the program had come to its end by then, only its files are fetched again.
    A finished chain attaches outputs that a killed daemon had stored, and cleans work directories without an output
    node.
:why: AiiDA ends the chain at the first job that was killed or excepted. Between the upload of a job and the next
    checkpoint it also loses the output ``remote_folder`` when a daemon worker dies, and a chain that demands it fails
    although its job ended well.
:upstream: none found for killed and excepted jobs, related: aiida-core #7069, #7095; for ``remote_folder`` related:
    #3145, #4783
:until: ``BaseRestartWorkChain`` has handlers for excepted and killed jobs, and a job attaches ``remote_folder`` again
    when it is resumed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from aiida import orm
from aiida.common import LinkType
from aiida.engine import BaseRestartWorkChain, ExitCode
from aiida.engine.processes.workchains.workchain import WorkChainSpec
from aiida.schedulers.datastructures import JobState

from aiida_anial.runtime.pausing import is_machine_failure, last_words
from aiida_anial.runtime.remote_folders import clean
from aiida_anial.runtime.work_chain import AnialWorkChain

__all__ = ('ResumingWorkChain',)


class ResumingWorkChain(AnialWorkChain, BaseRestartWorkChain):
    """Run jobs until one finishes well, whatever ends those before."""

    @staticmethod
    def do_not_require_remote_folder(spec: WorkChainSpec) -> None:
        """Let the chain finish without ``remote_folder``; for ``define`` of a subclass, after its outputs."""
        spec.outputs['remote_folder'].required = False

    def inspect_process(self) -> ExitCode | None:
        """Run a job again that did not end by itself."""
        node = self.ctx.children[self.ctx.iteration - 1]
        if not (node.is_excepted or node.is_killed):
            self.ctx.n_died = 0
            self.ctx.inputs.pop('remote_folder', None)
            code: ExitCode | None = super().inspect_process()
            return code
        self.ctx.n_died = self.ctx.get('n_died', 0) + 1
        what = 'was killed' if node.is_killed else f'excepted: {last_words(node.exception)}'
        if self.ctx.n_died > 1 and not is_machine_failure(node):
            self.report(f'{self.ctx.process_name}<{node.pk}> {what}; action taken: give up')
            code = super().inspect_process()
            return code
        self._take_up(node)
        action = 'fetch its files again' if 'remote_folder' in self.ctx.inputs else 'run it again'
        self.report(f'{self.ctx.process_name}<{node.pk}> {what}; action taken: {action}')
        if is_machine_failure(node):
            self.pause(f'{self.ctx.process_name}<{node.pk}> {what}')
        return None

    def results(self) -> ExitCode | None:
        """Attach the outputs, also those that AiiDA lost sight of when a daemon was killed."""
        code: ExitCode | None = super().results()
        for name, output in self.get_outputs(self.ctx.children[self.ctx.iteration - 1]).items():
            if name in self.spec().outputs and name not in self.outputs:
                self.out(name, output)
        return code

    def get_outputs(self, node: Any) -> dict[str, Any]:
        """Return the outputs of a job; one that only fetched files has the work directory of the job that left them."""
        outputs = dict(super().get_outputs(node))
        if 'remote_folder' not in outputs and 'remote_folder' in node.inputs:
            outputs['remote_folder'] = node.inputs.remote_folder
        return outputs

    def on_terminated(self) -> None:
        """Clean the work directories; AiiDA's own cleans only those with an output node."""
        super(BaseRestartWorkChain, self).on_terminated()
        if not self.inputs.clean_workdir.value:
            self.report('remote folders will not be cleaned')
            return
        cleaned = []
        for job in self.node.called_descendants:
            folder = _work_directory(job)
            if folder is not None:
                with suppress(OSError, KeyError):
                    clean(folder)
                    cleaned.append(str(job.pk))
        if cleaned:
            self.report(f'cleaned remote folders of calculations: {" ".join(cleaned)}')

    def _take_up(self, node: Any) -> None:
        """Let the next job begin with the files of one whose program had ended; AiiDA can on this machine alone."""
        self.ctx.inputs.pop('remote_folder', None)
        had_ended = node.get_scheduler_state() == JobState.DONE and 'remote_folder' in node.outputs
        # A job that excepted for another reason may have done so because of its files.
        if had_ended and is_machine_failure(node) and node.computer.transport_type == 'core.local':
            self.ctx.inputs.remote_folder = node.outputs.remote_folder


def _work_directory(job: Any) -> orm.RemoteData | None:
    """Return the work directory of a job, or None if it never began or only fetched files."""
    link = job.base.links.get_outgoing(link_label_filter='remote_folder', link_type=LinkType.CREATE).first()
    if link is not None:
        folder: orm.RemoteData = link.node
        return folder
    if not isinstance(job, orm.CalcJobNode) or 'remote_folder' in job.inputs:
        return None
    path = job.get_remote_workdir()
    return orm.RemoteData(computer=job.computer, remote_path=path) if path else None
