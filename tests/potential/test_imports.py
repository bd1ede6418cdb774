import subprocess
import sys


def test_ensembles_are_parsed_without_torch_and_without_aiida():
    modules = ('settings', 'ensemble', 'prediction', 'files', 'engine', 'neighbours', 'neurochem')
    code = '; '.join(f'import aiida_anial.potential.{module}' for module in modules)
    code += "; import sys; print([name for name in ('torch', 'torchani', 'aiida') if name in sys.modules])"
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == '[]'
