// The theme, the copy buttons, and drawing: charts when they come into view, and all of them for the printer.
'use strict'

{
  const root = document.documentElement, button = document.getElementById('theme')
  const canvases = [...document.querySelectorAll('figure[data-chart] canvas')]
  const dark = matchMedia('(prefers-color-scheme: dark)')

  Page.copier = text => {
    const copier = document.createElement('button')
    copier.type = 'button'
    copier.textContent = 'Copy'
    copier.addEventListener('click', async () => {
      await navigator.clipboard.writeText(text)
      copier.textContent = 'Copied'
      setTimeout(() => { copier.textContent = 'Copy' }, 1500)
    })
    return copier
  }

  function draw(canvas) {
    const figure = canvas.closest('figure')
    const chart = Page.draw(canvas, Page.data.charts[figure.dataset.chart][figure.dataset.index])
    Page.legend(canvas, chart)
  }

  function set(theme) {
    root.dataset.theme = theme
    button.setAttribute('aria-pressed', String(theme === 'dark'))
    for (const canvas of canvases) if (Page.charts.has(canvas)) draw(canvas)
    Page.repaint()
  }

  const seen = new IntersectionObserver(entries => {
    for (const {target, isIntersecting} of entries) if (isIntersecting && !Page.charts.has(target)) draw(target)
  }, {rootMargin: '400px'})

  for (const canvas of canvases) {
    seen.observe(canvas)
    canvas.addEventListener('keydown', event => Page.keys(canvas, event))
    canvas.addEventListener('dblclick', () => Page.charts.get(canvas).resetZoom())
  }
  for (const code of document.querySelectorAll('main .commands code')) code.after(Page.copier(code.textContent))

  button.addEventListener('click', () => set(root.dataset.theme === 'dark' ? 'light' : 'dark'))
  dark.addEventListener('change', event => set(event.matches ? 'dark' : 'light'))
  set(dark.matches ? 'dark' : 'light')

  let theme = null
  addEventListener('beforeprint', () => {
    theme = root.dataset.theme
    set('light')
    canvases.forEach(draw)
    for (const chart of Page.charts.values()) chart.resize()
  })
  addEventListener('afterprint', () => set(theme))
}
