"""Run one function of this folder in a new process, with arguments and result as JSON.

By hand, from the repository root::

    python benchmarks/child.py memory evaluate '{"n_atoms": 1000, "threads": 1}'
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def command(module: str, function: str, arguments: Mapping[str, Any], profile: str = '') -> list[str]:
    """Return the command line that runs a function of this folder.

    :param profile: AiiDA profile to load first; none if empty.
    """
    return [sys.executable, str(Path(__file__)), module, function, json.dumps(arguments), profile]


def parsed(printed: str) -> Any:
    """Return the result of the function, which is in the last line of the output.

    :param printed: standard output of the command.
    """
    return json.loads(printed.splitlines()[-1])


def run(module: str, function: str, *, environment: Mapping[str, str] | None = None, **arguments: Any) -> Any:
    """Run a function in a new process and return its result.

    :param environment: environment variables in addition to those of this process.
    :raises RuntimeError: if the function fails; the process writes the reason to the standard error.
    """
    words = command(module, function, arguments)
    variables = {**os.environ, **(environment or {})}
    done = subprocess.run(words, env=variables, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f'{module}.{function} ended with status {done.returncode}.')
    return parsed(done.stdout)


def main(module: str, function: str, arguments: str, profile: str = '') -> None:
    """Run the function in this process and print its result."""
    if profile:
        from aiida import load_profile

        load_profile(profile)
    with warnings.catch_warnings():
        # On import, torchani warns that it was built without CUDA.
        warnings.simplefilter('ignore')
        result = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    print(json.dumps(result))


if __name__ == '__main__':
    main(*sys.argv[1:])
