"""Fixtures with stored steps of every kind, and with caching enabled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.manage.configuration import get_config
from click.testing import CliRunner, Result

from aiida_anial.cli.root import main


@pytest.fixture
def invoke(aiida_profile) -> Callable[..., Result]:
    """Return a function that runs ``aiida-anial reproduce``."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(main, ['reproduce', *map(str, arguments)])

    return run


@pytest.fixture
def caching(aiida_profile) -> Iterator[None]:
    """Enable caching for all calculations of the profile."""
    config = get_config()
    config.set_option('caching.default_enabled', True, scope=aiida_profile.name)
    yield
    config.unset_option('caching.default_enabled', scope=aiida_profile.name)


@pytest.fixture(scope='session')
def steps(campaigns) -> dict[str, list[Any]]:
    """The processes of a campaign by their labels, in order of creation."""
    found: dict[str, list[Any]] = {}
    for node in sorted(campaigns['main'].called_descendants, key=lambda node: node.pk):
        found.setdefault(node.process_label, []).append(node)
    return found


@pytest.fixture
def copy_of() -> Callable[..., Any]:
    """Return a function that stores a copy of a calculation, with the given changes of inputs, attributes and outputs.

    An output that is ``None`` is left out.
    """

    def make(
        node: Any,
        *,
        outputs: dict[str, orm.Data | None] | None = None,
        inputs: dict[str, orm.Data] | None = None,
        sealed: bool = True,
        **attributes: Any,
    ) -> Any:
        copy: Any = type(node)(process_type=node.process_type, computer=node.computer)
        given = {**node.base.attributes.all, **attributes}
        copy.base.attributes.set_many({key: value for key, value in given.items() if key != 'sealed'})
        for link in node.base.links.get_incoming(link_type=LinkType.INPUT_CALC).all():
            source = (inputs or {}).get(link.link_label, link.node)
            copy.base.links.add_incoming(source.store(), link_type=LinkType.INPUT_CALC, link_label=link.link_label)
        copy.store()
        made = {link.link_label: link.node for link in node.base.links.get_outgoing(link_type=LinkType.CREATE).all()}
        for label, output in {**made, **(outputs or {})}.items():
            if output is not None:
                new = output.clone() if output.is_stored else output
                new.base.links.add_incoming(copy, link_type=LinkType.CREATE, link_label=label)
                new.store()
        if sealed:
            copy.seal()
        return copy

    return make
