"""A work chain that runs jobs until one finishes well, whatever ends those before."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from aiida import orm
from aiida.common import LinkType
from aiida.engine import BaseRestartWorkChain, ExitCode
from aiida.schedulers.datastructures import JobState

from aiida_anial.runtime.pausing import is_of_the_machine, last_words
from aiida_anial.runtime.staged import StagedWorkChain

__all__ = ('ResumingWorkChain',)


class ResumingWorkChain(StagedWorkChain, BaseRestartWorkChain):
    """Do not let a job that AiiDA could not look after cost what it had to give.

    A job that was killed, or that excepted, ends AiiDA's own chain at once. Here it is run again; a second one in a row
    ends the chain. Where the machine was at fault the chain pauses each time; if the program had come to its end by
    then, only its files are fetched and parsed again. The output ``remote_folder`` must not be required: AiiDA loses it
    where a daemon worker dies in the moment after the upload, and what the job found is as good without.
    """

    def inspect_process(self) -> ExitCode | None:
        """Run a job that did not end by itself again."""
        node = self.ctx.children[self.ctx.iteration - 1]
        if not (node.is_excepted or node.is_killed):
            self.ctx.n_died = 0
            self.ctx.inputs.pop('remote_folder', None)
            code: ExitCode | None = super().inspect_process()
            return code
        self.ctx.n_died = self.ctx.get('n_died', 0) + 1
        what = 'was killed' if node.is_killed else f'excepted: {last_words(node.exception)}'
        if self.ctx.n_died > 1 and not is_of_the_machine(node):
            self.report(f'{self.ctx.process_name}<{node.pk}> {what}; action taken: give up')
            code = super().inspect_process()
            return code
        self._take_up(node)
        action = 'fetch its files again' if 'remote_folder' in self.ctx.inputs else 'run it again'
        self.report(f'{self.ctx.process_name}<{node.pk}> {what}; action taken: {action}')
        if is_of_the_machine(node):
            self.pause(f'{self.ctx.process_name}<{node.pk}> {what}')
        return None

    def results(self) -> ExitCode | None:
        """Attach the outputs; of those a killed daemon had stored, AiiDA's own loses sight."""
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
        """Clean the work directories, as AiiDA's own does where every job has one."""
        super(BaseRestartWorkChain, self).on_terminated()
        if not self.inputs.clean_workdir.value:
            self.report('remote folders will not be cleaned')
            return
        cleaned = []
        for job in self.node.called_descendants:
            folder = _work_directory(job)
            if folder is not None:
                with suppress(OSError, KeyError):
                    folder._clean()
                    cleaned.append(str(job.pk))
        if cleaned:
            self.report(f'cleaned remote folders of calculations: {" ".join(cleaned)}')

    def _take_up(self, node: Any) -> None:
        """Let the next job begin with the files of one whose program had ended; AiiDA can on this machine alone."""
        self.ctx.inputs.pop('remote_folder', None)
        had_ended = node.get_scheduler_state() == JobState.DONE and 'remote_folder' in node.outputs
        # What excepts for another reason may do so because of the files.
        if had_ended and is_of_the_machine(node) and node.computer.transport_type == 'core.local':
            self.ctx.inputs.remote_folder = node.outputs.remote_folder


def _work_directory(job: Any) -> orm.RemoteData | None:
    """Return the work directory of a job; one that never began, or that only fetched files, has none of its own."""
    link = job.base.links.get_outgoing(link_label_filter='remote_folder', link_type=LinkType.CREATE).first()
    if link is not None:
        folder: orm.RemoteData = link.node
        return folder
    if not isinstance(job, orm.CalcJobNode) or 'remote_folder' in job.inputs:
        return None
    path = job.get_remote_workdir()
    return orm.RemoteData(computer=job.computer, remote_path=path) if path else None
