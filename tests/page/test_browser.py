"""The page in Chromium: no error, no request, and what a reader clicks and types does what the page says."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright import sync_api

from aiida_anial.queries.records import records

CHROMIUM = shutil.which('chromium')
# WebGL without a graphics card.
ARGUMENTS = ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader']


@pytest.fixture(scope='module')
def browser(page) -> Iterator[Any]:
    """Chromium; it starts after the campaigns of the page, which cannot run in the loop of playwright."""
    assert CHROMIUM is not None, 'chromium is not installed; `make test` installs it'
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, page) -> Iterator[Any]:
    """Return a function that opens the page and collects what goes wrong; at the end, nothing must have."""
    complaints: list[str] = []
    contexts = []

    def visit(*, width: int = 1280, height: int = 900, theme: str = 'light') -> Any:
        context = browser.new_context(viewport={'width': width, 'height': height}, color_scheme=theme)
        contexts.append(context)
        tab = context.new_page()
        tab.on('console', lambda message: complaints.append(message.text))
        tab.on('pageerror', lambda error: complaints.append(str(error)))
        tab.on('request', lambda one: None if one.url == page.as_uri() else complaints.append(one.url[:200]))
        tab.goto(page.as_uri())
        return tab

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


def wait_until(tab, condition: str, argument: str | None = None) -> None:
    """Wait until a script returns true; what Playwright has for that is refused by the security policy of the page."""
    end = time.monotonic() + 30
    while not tab.evaluate(condition, argument):
        assert time.monotonic() < end, condition
        time.sleep(0.05)


def scroll_through(tab) -> None:
    """Bring every chart into view once."""
    for figure in tab.query_selector_all('figure'):
        figure.scroll_into_view_if_needed()
    wait_until(tab, "[...document.querySelectorAll('figure canvas')].every(one => Page.charts.has(one))")


BLANK = """canvas => {
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    return !data.some((value, index) => index % 4 === 3 && value > 0)
}"""


@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_every_chart_is_drawn_in_both_themes(opened, theme):
    tab = opened(theme=theme)
    scroll_through(tab)
    canvases = tab.query_selector_all('figure canvas')
    assert len(canvases) > 15
    assert not any(canvas.evaluate(BLANK) for canvas in canvases)
    colour = tab.evaluate('getComputedStyle(document.body).backgroundColor')
    assert colour == {'light': 'rgb(255, 255, 255)', 'dark': 'rgb(20, 23, 27)'}[theme]


def test_the_button_changes_the_theme_and_the_charts(opened):
    tab = opened()
    colour = "Page.charts.get(document.querySelector('figure canvas')).data.datasets[0].borderColor"
    wait_until(tab, "Page.charts.has(document.querySelector('figure canvas'))")
    light = tab.evaluate(colour)
    tab.click('#theme')
    assert tab.evaluate('document.documentElement.dataset.theme') == 'dark'
    assert tab.evaluate(colour) != light


def place_of_point(tab, section: str, index: int) -> dict[str, float]:
    """Return where on the screen the first point of a chart is."""
    selector = f'figure[data-chart="{section}"][data-index="{index}"] canvas'
    tab.query_selector(selector).scroll_into_view_if_needed()
    wait_until(tab, 'one => Page.charts.has(document.querySelector(one))', selector)
    found: dict[str, float] = tab.evaluate(
        """one => {
            const canvas = document.querySelector(one), box = canvas.getBoundingClientRect()
            const {x, y} = Page.charts.get(canvas).getDatasetMeta(0).data[0]
            return {x: box.left + x, y: box.top + y}
        }""",
        selector,
    )
    return found


def test_a_click_on_a_point_shows_its_node_and_its_configuration(opened, benchmarked):
    tab = opened()
    place = place_of_point(tab, 'labels', 0)
    tab.mouse.click(place['x'], place['y'])
    tab.wait_for_selector('#node:not([hidden])')
    pk = int(tab.inner_text('#node-title').removeprefix('Label '))
    (label,) = records('labels', {'pk': pk}, campaigns=[benchmarked])
    shown = tab.inner_text('#values')
    assert label['uuid'] in shown
    assert label['calculation'] in shown
    assert f'verdi node show {pk}' in tab.inner_text('#commands')
    # The viewer has drawn the atoms; without WebGL there would be a sentence.
    assert tab.query_selector('#structure canvas') is not None


def test_the_keyboard_reaches_a_point_and_leaves_it_again(opened):
    tab = opened()
    canvas = 'figure[data-chart="dynamics"][data-index="0"] canvas'
    tab.query_selector(canvas).scroll_into_view_if_needed()
    wait_until(tab, 'one => Page.charts.has(document.querySelector(one))', canvas)
    tab.focus(canvas)
    tab.keyboard.press('ArrowRight')
    tab.keyboard.press('Enter')
    tab.wait_for_selector('#node:not([hidden])')
    assert tab.inner_text('#node-title').startswith('Trajectory ')
    assert not any(one.evaluate(BLANK) for one in tab.query_selector_all('#courses canvas'))
    tab.keyboard.press('Escape')
    assert tab.query_selector('#node').is_hidden()
    assert tab.evaluate('one => document.activeElement === document.querySelector(one)', canvas)


def test_rows_of_the_table_lead_to_their_process(opened):
    tab = opened()
    tab.click('#course button[data-of="iterations"][data-row="1"]')
    assert 'verdi process status' in tab.inner_text('#commands')


def test_a_series_can_be_hidden(opened):
    tab = opened()
    figure = 'figure[data-chart="labels"][data-index="0"]'
    place_of_point(tab, 'labels', 0)
    tab.click(f'{figure} .legend button')
    hidden = f"Page.charts.get(document.querySelector('{figure} canvas')).isDatasetVisible(0)"
    assert tab.evaluate(hidden) is False


@pytest.mark.parametrize('width', [360, 768])
def test_a_narrow_page_does_not_scroll_sideways(opened, width):
    tab = opened(width=width, height=800)
    scroll_through(tab)
    assert tab.evaluate('document.documentElement.scrollWidth') <= width
    tab.click('#course button[data-of="iterations"]')
    box = tab.query_selector('#node').bounding_box()
    assert box['x'] >= 0
    assert box['x'] + box['width'] <= width


def test_the_printed_page_is_light_and_has_all_charts(opened, tmp_path):
    tab = opened(theme='dark')
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.evaluate('document.documentElement.dataset.theme') == 'light'
    assert tab.evaluate("[...document.querySelectorAll('figure canvas')].every(one => Page.charts.has(one))")
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate('document.documentElement.dataset.theme') == 'dark'


NO_WEBGL = """
for (const one of [HTMLCanvasElement, OffscreenCanvas]) {
    const get = one.prototype.getContext
    one.prototype.getContext = function (kind, ...rest) {
        return /webgl/.test(kind) ? null : get.call(this, kind, ...rest)
    }
}"""


def test_without_webgl_a_sentence_takes_the_place_of_the_picture(browser, page):
    tab = browser.new_page()
    tab.add_init_script(NO_WEBGL)
    tab.goto(page.as_uri())
    tab.evaluate("Page.show('labels', 0)")
    assert 'the picture needs WebGL' in tab.inner_text('#structure')
    tab.close()
