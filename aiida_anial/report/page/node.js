// Shows a node of the graph: its numbers, the commands that show it, its configuration, the course of a trajectory.
'use strict'

{
  const panel = document.getElementById('node'), box = document.getElementById('structure')
  const courses = document.getElementById('courses'), {structures, records} = Page.data
  let before = null, viewer = null, shown = null

  const offsets = structures.n_atoms.reduce((found, n) => [...found, found.at(-1) + n], [0])
  const places = new Map(structures.rows.map((row, place) => [row, place]))
  let integers = null

  function positions() {
    if (!integers) {
      const bytes = Uint8Array.from(atob(structures.positions), letter => letter.charCodeAt(0))
      const view = new DataView(bytes.buffer)
      integers = Array.from({length: bytes.length / 2}, (_, index) => view.getInt16(2 * index, true) / 100)
    }
    return integers
  }

  function configuration(of, row) {
    if (of === 'trajectories') return Page.data.courses[row]?.frame
    if (of !== 'labels' || !places.has(row)) return null
    const place = places.get(row)
    return [structures.lattices[place], positions().slice(3 * offsets[place], 3 * offsets[place + 1])]
  }

  Page.show = (of, row) => {
    const {singular, columns, helps, commands} = records[of]
    shown = [of, row]
    if (panel.hidden) before = document.activeElement
    panel.hidden = false
    const title = document.getElementById('node-title')
    title.textContent = `${singular[0].toUpperCase()}${singular.slice(1)} ${columns.pk[row]}`
    values(columns, helps, row)
    list(commands.map(command => command.replace(/\{(\w+)\}/g, (_, name) => columns[name]?.[row] ?? '')))
    structure(configuration(of, row))
    course(of === 'trajectories' ? Page.data.courses[row] : null)
    title.focus()
  }

  function values(columns, helps, row) {
    const found = document.getElementById('values')
    found.replaceChildren()
    for (const [name, column] of Object.entries(columns)) {
      if (column[row] === null || column[row] === undefined) continue
      const term = document.createElement('dt'), value = document.createElement('dd')
      term.textContent = name
      term.title = helps[name] ?? ''
      value.textContent = String(column[row])
      found.append(term, value)
    }
  }

  function list(commands) {
    document.getElementById('commands').replaceChildren(...commands.map(command => {
      const item = document.createElement('li'), code = document.createElement('code')
      code.textContent = command
      item.append(code, Page.copier(command))
      return item
    }))
  }

  function structure(found) {
    box.hidden = !found
    box.replaceChildren()
    viewer = null
    if (!found) return
    const [lattice, coordinates] = found
    try {
      viewer = $3Dmol.createViewer(box, {backgroundColor: Page.css('--raised'), antialias: true})
      const atoms = []
      for (let index = 0; index < coordinates.length; index += 3) {
        atoms.push({elem: 'Al', x: coordinates[index], y: coordinates[index + 1], z: coordinates[index + 2], bonds: [], bondOrder: []})
      }
      viewer.addModel().addAtoms(atoms)
      viewer.setStyle({}, {sphere: {radius: 0.85, color: Page.css('--c0')}})
      edges(lattice)
      viewer.zoomTo()
      viewer.rotate(20, 'x'); viewer.rotate(-25, 'y')
      viewer.render()
    } catch (error) {
      viewer = null
      const text = document.createElement('p')
      text.textContent = `${coordinates.length / 3} atoms; the picture needs WebGL, which this browser does not give.`
      box.replaceChildren(text)
    }
  }

  function edges(lattice) {
    const vectors = [0, 3, 6].map(start => lattice.slice(start, start + 3))
    const corner = bits => [0, 1, 2].map(axis => vectors.reduce((sum, vector, index) => sum + (bits >> index & 1) * vector[axis], 0))
    for (let bits = 0; bits < 8; bits++) {
      for (const axis of [1, 2, 4].filter(axis => !(bits & axis))) {
        const [start, end] = [corner(bits), corner(bits | axis)].map(([x, y, z]) => ({x, y, z}))
        viewer.addLine({start, end, color: Page.css('--text')})
      }
    }
  }

  function course(found) {
    courses.hidden = !found
    if (!found) return
    const [first, second] = courses.querySelectorAll('canvas'), x = {label: 'time (ps)'}
    const drawn = (name, label) => ({x, y: {label}, series: [{name, draw: 'line', x: found.time, y: found[name] ?? []}]})
    Page.draw(first, drawn('temperature', 'T (K)'))
    Page.draw(second, drawn('disagreement', 'disagreement (eV/√atom)'))
  }

  function close() {
    panel.hidden = true
    shown = null
    before?.focus()
  }

  Page.repaint = () => { if (shown) Page.show(...shown) }

  document.getElementById('close').addEventListener('click', close)
  document.addEventListener('keydown', event => { if (event.key === 'Escape' && !panel.hidden) close() })
  document.addEventListener('click', event => {
    const button = event.target.closest('button[data-of]')
    if (button) Page.show(button.dataset.of, Number(button.dataset.row))
  })
  box.addEventListener('keydown', event => {
    const turns = {ArrowLeft: [-15, 'y'], ArrowRight: [15, 'y'], ArrowUp: [-15, 'x'], ArrowDown: [15, 'x']}
    if (!viewer || !turns[event.key]) return
    viewer.rotate(...turns[event.key])
    viewer.render()
    event.preventDefault()
  })
}
