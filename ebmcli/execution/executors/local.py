"""Runs trained on this machine, in a supervised process."""

from ebmcli.execution import supervisor
from ebmcli.execution.executors import Trainer, Work, executor


@executor
def local() -> Trainer:
    """Train the cells here, as many at once as there are devices."""

    def train(work: Work) -> None:
        supervisor.train(work.cells, work.folder, work.options, work.watcher, work.stop, lock=work.lock)

    return train
