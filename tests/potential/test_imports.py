import subprocess
import sys


def test_potentials_are_parsed_without_torch_numba_and_aiida():
    modules = ('settings', 'ensemble', 'potential', 'engine', 'neighbours', 'neurochem', 'source')
    code = '; '.join(f'import aiida_anial.potential.{module}' for module in modules)
    code += "; import sys; print([name for name in ('torch', 'torchani', 'numba', 'aiida') if name in sys.modules])"
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == '[]'
