"""Read each XML schema of Quantum ESPRESSO once.

:hook: the name ``XMLSchema`` in ``aiida_quantumespresso.parsers.parse_xml.parse``
:changes: A schema is kept from one calculation to the next.
:why: aiida-quantumespresso reads the schema anew for each output, which takes three times as long as the output itself.
:upstream: none found
:until: aiida-quantumespresso keeps the schemas that it has read.
"""

from __future__ import annotations

from functools import lru_cache

from aiida_quantumespresso.parsers.parse_xml import parse
from xmlschema import XMLSchema

__all__ = ('keep_schemas',)

_kept = lru_cache(XMLSchema)


def keep_schemas() -> None:
    """Let this process read each schema once."""
    parse.XMLSchema = _kept
