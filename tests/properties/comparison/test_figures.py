"""Figures show all available data, and are bitwise reproducible."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from aiida_anial.properties.comparison.results import Subject
from aiida_anial.properties.figures.curves import draw_curve
from aiida_anial.properties.figures.style import subject_styles
from aiida_anial.properties.figures.write import make_figures, write_figures
from aiida_anial.properties.panels import Curve
from aiida_anial.properties.quantity import PropertyResult

SCRIPT = """
import pickle
import sys
from pathlib import Path
from aiida_anial.properties.figures.write import write_figures
exec(sys.argv[3])
write_figures(pickle.loads(Path(sys.argv[2]).read_bytes()), Path(sys.argv[1]))
"""

IMPORTS = """
import sys
from aiida_anial.properties.comparison import table as deviations
from aiida_anial.properties.comparison import rendering
from aiida_anial.properties.comparison import results
from aiida_anial.properties.figures import write
print(sorted({name.partition('.')[0] for name in sys.modules} & {'aiida', 'matplotlib', 'phonopy', 'torch'}))
"""

BAIN = Curve(
    figure='paths',
    x='c_over_a',
    y='energy_ev_per_atom',
    x_label='x',
    y_label='y',
    disagreement='disagreement_ev_per_atom',
    scale=1e3,
)


@pytest.fixture
def subjects(make_subject):
    ensemble, eam = make_subject('ensemble 715', spread=0.01), make_subject('Al_mm.eam.fs', 'eam', scale=1.1)
    return [ensemble, eam, make_subject('qe', 'dft', scale=0.95)]


def _written(folder, subjects, *, seed, before=''):
    pickled = folder.with_suffix('.pickle')
    pickled.write_bytes(pickle.dumps(subjects))
    environment = {**os.environ, 'PYTHONHASHSEED': str(seed)}
    subprocess.run(
        [sys.executable, '-c', SCRIPT, str(folder), str(pickled), before], env=environment, check=True, timeout=120
    )
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_results_give_the_same_bytes_whatever_the_style_of_the_user(tmp_path, subjects):
    some = [replace(one, results={name: one.results[name] for name in ('bain', 'surfaces')}) for one in subjects]
    own_style = "import matplotlib; matplotlib.rcParams.update({'font.size': 30, 'svg.hashsalt': None})"
    first = _written(tmp_path / 'first', some, seed=1)
    assert _written(tmp_path / 'second', some, seed=2, before=own_style) == first
    assert sorted(first) == ['paths.png', 'paths.svg', 'surfaces.png', 'surfaces.svg']
    assert not any(b'<dc:date>' in content or b'Matplotlib v' in content for content in first.values())


def test_importing_it_loads_neither_aiida_nor_anything_heavy():
    found = subprocess.run([sys.executable, '-c', IMPORTS], check=True, capture_output=True, text=True, timeout=120)
    assert found.stdout == '[]\n'


def test_everything_is_drawn_and_the_style_of_the_user_is_left_alone(tmp_path, subjects):
    with mpl.rc_context({'font.size': 30}):
        paths = write_figures(subjects, tmp_path / 'new' / 'folder')
        assert mpl.rcParams['font.size'] == 30
    names = ['lattice', 'cold_curves', 'crystals', 'pressure', 'stress', 'elastic', 'paths', 'defects', 'surfaces']
    assert [path.name for path in paths] == [
        f'{name}.{suffix}' for name in [*names, 'phonons'] for suffix in ('png', 'svg')
    ]
    assert all(path.stat().st_size > 5000 for path in paths)


@pytest.mark.parametrize('subjects', [[], [Subject('one', 'eam', {'bain': PropertyResult({})})]])
def test_without_data_there_are_no_figures(tmp_path, subjects):
    assert write_figures(subjects, tmp_path) == []


def test_subjects_can_be_told_apart_and_dft_is_points():
    styles = subject_styles([Subject(str(index), 'dft' if index == 2 else 'eam', {}) for index in range(9)])
    assert [style.is_points for style in styles] == [index == 2 for index in range(9)]
    assert (styles[2].colour, styles[2].line) == ('black', 'none')
    assert len({(style.colour, style.line) for style in styles}) == 9
    assert len({style.colour for style in styles[:7]}) == 7
    # The style of the others does not depend on DFT.
    assert subject_styles([Subject(str(index), 'eam', {}) for index in range(8)])[2].colour == styles[3].colour


def test_a_line_goes_through_its_points_in_a_band_of_its_disagreement(subjects):
    axis = Figure().subplots()
    draw_curve(axis, subjects[:1], subject_styles(subjects[:1]), 'bain', BAIN)
    line, dots = axis.lines
    curves = subjects[0].results['bain'].curves
    np.testing.assert_allclose(dots.get_xydata(), np.array([curves['c_over_a'], 1e3 * curves['energy_ev_per_atom']]).T)
    np.testing.assert_allclose(line.get_ydata(), 100 * np.sin(4 * line.get_xdata()), atol=0.05)
    (band,) = axis.collections
    corners = band.get_paths()[0].vertices
    assert np.ptp(corners[np.isclose(corners[:, 0], 0.85), 1]) == pytest.approx(20.0)
    assert to_hex(band.get_facecolor()[0]) == to_hex(line.get_color())


def test_dft_has_no_line(subjects):
    axis = Figure().subplots()
    draw_curve(axis, subjects[2:], subject_styles(subjects[2:]), 'bain', BAIN)
    (dots,) = axis.lines
    assert dots.get_linestyle() == 'None'
    assert len(dots.get_xdata()) == 16


def test_the_legend_names_all_once_the_subjects_first(subjects):
    figures = dict(make_figures(subjects))
    (legend,) = figures['paths'].legends
    texts = [text.get_text() for text in legend.texts]
    assert texts[:4] == ['ensemble 715', 'Al_mm.eam.fs', 'qe', 'experiment']
    assert texts[-1] == 'standard deviation'
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(('name', 'kind'), [('paths', Patch), ('elastic', Line2D)])
def test_the_legend_shows_the_spread_as_the_panels_do(subjects, name, kind):
    """As a band beside curves, as a bar beside points."""
    (legend,) = dict(make_figures(subjects))[name].legends
    assert isinstance(legend.legend_handles[-1], kind)


def test_cold_curves_have_a_panel_a_crystal(subjects):
    figure = dict(make_figures(subjects))['cold_curves']
    assert [axis.get_title(loc='left') or axis.get_title() for axis in figure.axes] == ['FCC', 'BCC', 'diamond']


def test_paths_that_are_missing_have_no_panel(subjects):
    some = [replace(subjects[0], results={'slip': subjects[0].results['slip']})]
    figure = dict(make_figures(some))['paths']
    assert len(figure.axes) == 1


def test_the_experiment_stands_at_the_points_of_the_zone_boundary(subjects):
    figure = dict(make_figures(subjects))['phonons']
    stars = {tuple(point) for line in figure.axes[0].lines if line.get_marker() == '*' for point in line.get_xydata()}
    assert stars == {(1.5, 9.69), (1.5, 5.79), (5.0, 9.69), (5.0, 4.19)}


def test_paths_of_other_lattice_constants_are_stretched_onto_the_first(subjects):
    curves = dict(subjects[1].results['phonons'].curves)
    for name in ('distance_per_angstrom', 'tick_distances_per_angstrom'):
        curves[name] = 1.2 * curves[name]
    wider = replace(subjects[1], results={'phonons': PropertyResult({}, curves)})
    figure = dict(make_figures([subjects[0], wider]))['phonons']
    first, second = (figure.axes[0].lines[index].get_xdata() for index in (0, 3))
    np.testing.assert_allclose(second, first, atol=1e-12)


def test_marks_of_one_quantity_stand_side_by_side(subjects):
    figure = dict(make_figures(subjects))['elastic']
    assert len(figure.axes) == 2
    c11 = [line for line in figure.axes[0].lines if line.get_marker() in 'os^*DdPXH']
    positions = [float(line.get_xdata()[0]) for line in c11]
    assert len(positions) == 7
    assert min(np.diff(sorted(positions))) == pytest.approx(0.6 / 7)
    assert {round(float(line.get_ydata()[0]), 1) for line in c11} == {114.0, 125.4, 108.3, 106.0, 117.0, 113.8}


def test_what_could_not_be_determined_is_marked(subjects):
    crystals = subjects[1].results['cold_curves']
    quantities = {name: one for name, one in crystals.quantities.items() if name != 'bcc_minus_fcc'}
    poor = replace(subjects[1], results={'cold_curves': replace(crystals, quantities=quantities)})
    figure = dict(make_figures([subjects[0], poor]))['crystals']
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == 'x']
    assert [line.get_color() for line in crosses] == [subject_styles(subjects)[1].colour]
    (legend,) = figure.legends
    assert 'not determined' in [text.get_text() for text in legend.texts]


def test_every_panel_has_both_labels_and_the_legend_takes_an_empty_place(subjects):
    curves = subjects[0].results['cold_curves'].curves
    more = {key.replace('bcc', name): value for name in ('bcc', 'hcp', 'sc') for key, value in curves.items()}
    one = replace(subjects[0], results={'cold_curves': PropertyResult({}, more)})
    figure = dict(make_figures([one]))['cold_curves']
    *panels, place = figure.axes
    assert all(axis.get_xlabel() and axis.get_ylabel() for axis in panels)
    assert figure.legends == []
    assert place.get_legend() is not None
    assert not place.axison


def test_the_legend_has_no_subject_without_the_property(subjects):
    some = [subjects[0], replace(subjects[1], results={})]
    figures = dict(make_figures(some))
    for name in ('elastic', 'crystals', 'surfaces', 'defects'):
        (legend,) = figures[name].legends
        texts = [text.get_text() for text in legend.texts]
        assert 'ensemble 715' in texts
        assert 'Al_mm.eam.fs' not in texts


def test_a_defect_ends_in_its_limit(subjects):
    figure = dict(make_figures(subjects[:1]))['defects']
    (line,) = [line for line in figure.axes[0].lines if line.get_linestyle() == '-']
    np.testing.assert_allclose(line.get_xydata(), [[1 / 32, 672.0], [1 / 108, 665.0], [0.0, 660.0]])
