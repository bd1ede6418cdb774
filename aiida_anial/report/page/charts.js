// Draws the charts that the page describes, in the colours of the theme, for mouse and keyboard.
'use strict'

const Page = {data: JSON.parse(document.getElementById('data').textContent), charts: new Map()}

Page.css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

// cividis, which readers who are colour-blind see as others do; without its ends, which vanish on a dark or light page.
const SCALE = [[49, 76, 120], [94, 101, 117], [138, 130, 120], [184, 164, 104], [222, 190, 76]]
const COLOURS = ['--c0', '--c1', '--c2', '--c3', '--c4', '--c5']
const SHAPES = ['circle', 'rect', 'triangle', 'rectRot', 'crossRot', 'star']
const LITERATURE = -2, TEXT = -1

function colourOf(series, index) {
  if (series.shade !== undefined) {
    const place = series.shade * (SCALE.length - 1), low = Math.min(Math.floor(place), SCALE.length - 2), part = place - low
    return `rgb(${SCALE[low].map((value, channel) => Math.round(value + part * (SCALE[low + 1][channel] - value))).join()})`
  }
  const number = series.colour ?? index
  if (number === LITERATURE) return Page.css('--grey')
  if (number === TEXT) return Page.css('--text')
  return Page.css(COLOURS[number % COLOURS.length])
}

function datasetOf(series, index, n) {
  const colour = colourOf(series, index), isLine = ['line', 'both'].includes(series.draw)
  const many = series.x.length > 300
  return {
    type: series.draw === 'bars' ? 'bar' : 'scatter',
    label: series.name,
    data: series.x.map((x, point) => ({x, y: series.y[point]})),
    series,
    showLine: isLine,
    borderColor: colour,
    backgroundColor: series.colour === TEXT ? 'transparent' : colour + (many && colour[0] === '#' ? 'a0' : ''),
    borderWidth: series.draw === 'bars' ? 0 : isLine ? 2 : 1,
    pointRadius: series.draw === 'line' ? 0 : many ? 2 : series.colour === LITERATURE ? 5 : 3.5,
    pointHoverRadius: 7,
    pointHitRadius: 6,
    pointStyle: series.colour === LITERATURE ? 'rectRot' : series.shade === undefined ? SHAPES[index % SHAPES.length] : 'circle',
    order: n - index,
  }
}

function rangeOf(chart) {
  const all = chart.series.flatMap(series => [...series.x, ...series.y]).filter(value => value !== null)
  const positive = chart.x.log ? all.filter(value => value > 0) : all
  const low = Math.min(...positive), high = Math.max(...positive)
  if (chart.x.log) return [low / 1.2, high * 1.2]
  const margin = 0.04 * (high - low) || 1
  return [low - margin, high + margin]
}

function axisOf(axis, range, levels, chart) {
  const found = {
    type: axis.log ? 'logarithmic' : 'linear',
    title: {display: Boolean(axis.label), text: axis.label, color: Page.css('--text')},
    grid: {color: Page.css('--line')},
    ticks: {color: Page.css('--faint'), maxRotation: 60},
  }
  if (axis.whole) found.ticks.precision = 0
  if (axis.zero) found.min = 0
  if (axis.ticks) {
    const named = new Map(axis.ticks)
    found.afterBuildTicks = scale => { scale.ticks = axis.ticks.map(([value]) => ({value})) }
    found.ticks.callback = value => named.get(value) ?? ''
    found.ticks.autoSkip = true
    found.grid.display = chart.series.some(series => series.draw === 'line')
    if (!found.grid.display || axis.ticks.length > 1) {
      const places = axis.ticks.map(([value]) => value), margin = found.grid.display ? 0 : 0.5
      found.suggestedMin = Math.min(...places) - margin
      found.suggestedMax = Math.max(...places) + margin
    }
  }
  if (range) {
    [found.min, found.max] = range
    found.ticks.includeBounds = false
  }
  if (levels) {
    found.suggestedMin = Math.min(...levels.map(([height]) => height))
    found.suggestedMax = Math.max(...levels.map(([height]) => height))
  }
  return found
}

// The diagonal, horizontal lines with their texts, and bands and error bars, which Chart.js does not have.
const marks = {
  id: 'marks',
  beforeDatasetsDraw(chart) {
    const {ctx, chartArea: area, scales: {x, y}} = chart, spec = chart.config.options.spec
    ctx.save()
    ctx.beginPath(); ctx.rect(area.left, area.top, area.width, area.height); ctx.clip()
    ctx.strokeStyle = Page.css('--grey'); ctx.lineWidth = 1
    if (spec.parity) {
      ctx.beginPath()
      ctx.moveTo(x.getPixelForValue(x.min), y.getPixelForValue(x.min))
      ctx.lineTo(x.getPixelForValue(x.max), y.getPixelForValue(x.max))
      ctx.stroke()
    }
    if (spec.y.log !== true && y.min < 0 && y.max > 0) line(ctx, area, y.getPixelForValue(0))
    chart.data.datasets.forEach((dataset, index) => {
      if (dataset.series?.spread && chart.isDatasetVisible(index)) spread(ctx, dataset, x, y)
    })
    ctx.restore()
  },
  afterDatasetsDraw(chart) {
    const {ctx, chartArea: area, scales: {y}} = chart
    ctx.save()
    ctx.strokeStyle = ctx.fillStyle = Page.css('--faint'); ctx.setLineDash([3, 3]); ctx.font = '11px system-ui, sans-serif'
    const taken = []
    for (const [height, text] of chart.config.options.spec.levels ?? []) {
      const at = y.getPixelForValue(height)
      if (at < area.top || at > area.bottom) continue
      line(ctx, area, at)
      let place = at - 3
      while (taken.some(other => Math.abs(other - place) < 12)) place -= 12
      taken.push(place)
      ctx.textAlign = 'right'
      ctx.fillText(text, area.right - 3, Math.max(place, area.top + 9))
    }
    ctx.restore()
  },
}

function line(ctx, area, at) {
  ctx.beginPath(); ctx.moveTo(area.left, at); ctx.lineTo(area.right, at); ctx.stroke()
}

function spread(ctx, {series, borderColor}, x, y) {
  const points = series.x.map((value, index) => [value, series.y[index], series.spread[index] ?? 0]).filter(point => point[1] !== null)
  ctx.save()
  ctx.strokeStyle = ctx.fillStyle = borderColor
  if (series.draw === 'points') {
    for (const [at, value, half] of points) {
      ctx.beginPath()
      ctx.moveTo(x.getPixelForValue(at), y.getPixelForValue(value - half))
      ctx.lineTo(x.getPixelForValue(at), y.getPixelForValue(value + half))
      ctx.stroke()
    }
  } else {
    ctx.globalAlpha = 0.2
    ctx.beginPath()
    for (const [at, value, half] of points) ctx.lineTo(x.getPixelForValue(at), y.getPixelForValue(value + half))
    for (const [at, value, half] of points.reverse()) ctx.lineTo(x.getPixelForValue(at), y.getPixelForValue(value - half))
    ctx.fill()
  }
  ctx.restore()
}

Page.draw = (canvas, spec) => {
  Page.charts.get(canvas)?.destroy()
  const range = spec.parity ? rangeOf(spec) : null
  const chart = new Chart(canvas, {
    data: {datasets: spec.series.map((series, index) => datasetOf(series, index, spec.series.length))},
    plugins: [marks],
    options: {
      spec,
      animation: false,
      maintainAspectRatio: false,
      interaction: {mode: 'nearest', intersect: true},
      scales: {x: axisOf(spec.x, range, null, spec), y: axisOf(spec.y, range, spec.levels, spec)},
      plugins: {
        legend: {display: false},
        tooltip: {callbacks: {title: () => '', label: item => said(spec, item)}},
        zoom: {zoom: {drag: {enabled: true, threshold: 12}, mode: 'xy'}},
      },
      onClick: (_, found) => { if (found.length) Page.choose(chart, found[0]) },
    },
  })
  Page.charts.set(canvas, chart)
  return chart
}

function said(spec, {dataset, raw, dataIndex}) {
  const named = new Map(spec.x.ticks ?? []).get(Math.round(raw.x))
  const where = spec.x.label ? `${named ?? short(raw.x)}, ${short(raw.y)}` : `${named}: ${short(raw.y)}`
  const half = dataset.series.spread?.[dataIndex]
  return `${dataset.label}: ${where}${half ? ` ± ${short(half)}` : ''}`
}

const short = value => Number(value.toPrecision(5)).toString()

// A legend of buttons, which the keyboard reaches and which wraps on narrow pages.
Page.legend = (canvas, chart) => {
  const box = canvas.closest('figure')
  box.querySelector('.legend')?.remove()
  if (chart.data.datasets.length < 2) return
  const list = document.createElement('ul')
  list.className = 'legend'
  chart.data.datasets.forEach((dataset, index) => {
    const button = document.createElement('button')
    button.type = 'button'
    button.setAttribute('aria-pressed', 'true')
    button.innerHTML = '<svg viewBox="0 0 14 10" aria-hidden="true"><rect x="0" y="2" width="14" height="6" rx="2"/></svg>'
    button.querySelector('rect').setAttribute('fill', dataset.borderColor)
    button.append(dataset.label)
    button.addEventListener('click', () => {
      const isShown = !chart.isDatasetVisible(index)
      chart.setDatasetVisibility(index, isShown)
      button.setAttribute('aria-pressed', String(isShown))
      chart.update()
    })
    const item = document.createElement('li')
    item.append(button)
    list.append(item)
  })
  box.querySelector('figcaption').after(list)
}

// Arrow keys: left and right along a series, up and down between series; Enter shows the node; Escape undoes a zoom.
Page.keys = (canvas, event) => {
  const chart = Page.charts.get(canvas), sets = chart.data.datasets
  if (!sets.length) return
  const at = canvas.at ??= {set: 0, point: -1}
  const steps = {ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0]}
  if (event.key === 'Enter' && at.point >= 0) Page.choose(chart, {datasetIndex: at.set, index: at.point})
  else if (event.key === 'Escape') chart.resetZoom()
  else if (steps[event.key]) {
    const [set, point] = steps[event.key]
    at.set = (at.set + set + sets.length) % sets.length
    const order = Page.order(sets[at.set])
    const place = Math.min(Math.max((set ? order.indexOf(at.point) : order.indexOf(at.point) + point), 0), order.length - 1)
    at.point = order[place]
    const active = [{datasetIndex: at.set, index: at.point}]
    chart.setActiveElements(active)
    chart.tooltip.setActiveElements(active, {x: 0, y: 0})
    chart.update()
  } else return
  event.preventDefault()
}

Page.order = dataset => dataset.order_ ??= dataset.data.map((_, index) => index).filter(index => dataset.data[index].y !== null)
  .sort((one, other) => dataset.data[one].x - dataset.data[other].x)

Page.choose = (chart, {datasetIndex, index}) => {
  const {series} = chart.data.datasets[datasetIndex]
  if (series.of && series.rows[index] >= 0) Page.show(series.of, series.rows[index])
}
