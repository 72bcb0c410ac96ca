"use strict";
// The heat map: one metric over two axes, every other axis under a slider.

const LARGEST_LABELS = 14;

const map = {
  content: REPORT.maps,
  metric: null,
  x: null,
  y: null,
  at: {},
};

function mapMetric(name) {
  return map.content.metrics.find((metric) => metric.name === name);
}

function mapDims() {
  return map.metric.dims.filter((dim) => extent(dim) > 1);
}

function startMap() {
  if (!map.content.sides.length) return;
  map.metric = mapMetric("liquidation_probability");
  [map.x, map.y = null] = map.content.sides;
  for (const dim of map.content.dims) map.at[dim] = map.content.start[dim]?.at ?? 0;
  buildMapControls();
  drawMap();
}

function firstAt(dim) {
  return map.content.start[dim]?.at ?? map.metric.start[dim] ?? 0;
}

function buildMapControls() {
  const box = document.getElementById("map-controls");
  const focused = document.activeElement?.id;
  const metrics = map.content.metrics.map((metric) => [metric.name, metric.title]);
  const sides = mapDims().map((dim) => [dim, REPORT.extents[dim].title]);
  const parts = [select("map-metric", "Shown", metrics, map.metric.name, chooseMetric)];
  if (sides.length > 1) {
    parts.push(select("map-x", "Across", sides, map.x, (dim) => chooseSide("x", dim)));
    parts.push(select("map-y", "Upwards", sides, map.y, (dim) => chooseSide("y", dim)));
  }
  for (const dim of mapDims()) {
    if (dim === map.x || dim === map.y) continue;
    const start = { now: map.at[dim] ?? firstAt(dim), first: firstAt(dim) };
    const why = map.content.start[dim]?.why ?? "";
    parts.push(slider(`map-${dim}`, dim, start, why, (index) => {
      map.at[dim] = index;
      drawMap();
    }));
  }
  box.replaceChildren(...parts);
  if (focused) document.getElementById(focused)?.focus();
}

function chooseMetric(name) {
  map.metric = mapMetric(name);
  for (const dim of map.metric.dims) {
    if (!map.content.dims.includes(dim)) map.at[dim] = firstAt(dim);
  }
  const dims = mapDims();
  if (!dims.includes(map.x)) map.x = dims.find((dim) => dim !== map.y);
  if (!dims.includes(map.y)) map.y = dims.find((dim) => dim !== map.x) ?? null;
  buildMapControls();
  drawMap();
}

function chooseSide(side, dim) {
  const other = side === "x" ? "y" : "x";
  if (map[other] === dim) map[other] = map[side];
  map[side] = dim;
  buildMapControls();
  drawMap();
}

// What the picture shows: rows of cells, each with value, error, and what is known of it.
function plane() {
  const values = floats(map.metric.values);
  const errors = floats(map.metric.errors);
  const risk = mapMetric("liquidation_probability");
  const risks = floats(risk.values);
  const feasible = bits(map.content.feasible);
  const cell = (row, column) => {
    const at = { ...map.at, [map.x]: column };
    if (map.y) at[map.y] = row;
    const own = place(map.content.dims, at);
    const index = place(map.metric.dims, at);
    return {
      value: values[index], error: errors[index], feasible: feasible.at(own),
      over: risks[own] > REPORT.limit, known: Number.isFinite(values[index]),
    };
  };
  const rows = map.y ? extent(map.y) : 1;
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: extent(map.x) }, (_, column) => cell(row, column)));
}

// The words of a side; a leverage that the venue's cap clips is named 50→20, as in `plot`.
function sideWords(dim, other) {
  const words = REPORT.extents[dim].words;
  if (dim !== "leverage" || !map.content.effective) return words;
  const got = floats(map.content.effective);
  const at = (index, row) => got[place(map.content.dims, { ...map.at, [dim]: index, [other ?? dim]: other ? row : index })];
  const rows = other && map.content.dims.includes(other) ? extent(other) : 1;
  const same = words.every((_, index) =>
    Array.from({ length: rows }).every((_, row) => at(index, row) === at(index, 0)));
  if (!same) return words;
  return words.map((word, index) => {
    const has = general(at(index, 0), 4);
    return Number.isNaN(at(index, 0)) || has === word ? word : `${word}→${has}`;
  });
}

function ticks(words) {
  const every = Math.ceil(words.length / LARGEST_LABELS);
  const shown = words.map((_, index) => index).filter((index) => index % every === 0);
  return {
    tickmode: "array", tickvals: shown, ticktext: shown.map((index) => plain(words[index])),
    range: [-0.5, words.length - 0.5], showgrid: false, type: "linear",
  };
}

// Cells as closed outlines one after the other, with gaps between them.
function outlines(cells) {
  const x = [], y = [];
  for (const [row, column] of cells) {
    x.push(column - 0.5, column + 0.5, column + 0.5, column - 0.5, column - 0.5, null);
    y.push(row - 0.5, row - 0.5, row + 0.5, row + 0.5, row - 0.5, null);
  }
  return { x, y };
}

// The line that parts cells within the liquidation limit from cells beyond it.
function boundary(cells) {
  const x = [], y = [];
  const parted = (one, other) => one?.known && other?.known && one.over !== other.over;
  cells.forEach((line, row) => line.forEach((cell, column) => {
    if (parted(cell, line[column + 1])) {
      x.push(column + 0.5, column + 0.5, null);
      y.push(row - 0.5, row + 0.5, null);
    }
    if (parted(cell, cells[row + 1]?.[column])) {
      x.push(column - 0.5, column + 0.5, null);
      y.push(row + 0.5, row + 0.5, null);
    }
  }));
  return { x, y };
}

function mapTitle() {
  const title = (dim) => REPORT.extents[dim].title;
  const rest = mapDims().filter((dim) => dim !== map.x && dim !== map.y)
    .map((dim) => `${title(dim)} = ${REPORT.extents[dim].words[map.at[dim] ?? 0]}`);
  const sides = map.y ? `${title(map.x)} and ${title(map.y)}` : title(map.x);
  return `${map.metric.title}, by ${sides}${rest.length ? `; at ${rest.join(", ")}` : ""}.`;
}

function drawMap() {
  const figure = document.getElementById("map");
  const cells = plane();
  const words = { x: sideWords(map.x, map.y), y: map.y ? sideWords(map.y, map.x) : [] };
  const caption = mapTitle();
  document.getElementById("map-caption").textContent = caption[0].toUpperCase() + caption.slice(1);
  const [traces, frame] = map.y ? heat(figure, cells, words) : curve(cells[0], words);
  draw(figure, traces, frame, caption);
  mapKey(cells);
  numbersUnder(figure, () => mapTable(cells, words));
}

function heat(figure, cells, words) {
  const { low, high, stops } = map.metric.colours;
  const width = figure.querySelector(".plot").clientWidth;
  const height = Math.max(220, Math.min(620, cells.length * (cells.length > 24 ? 14 : 56) + 90));
  const room = (width - 130) / words.x.length >= 58 && (height - 80) / cells.length >= 34;
  const said = (cell, gap) => {
    const [number, error] = uncertain(cell.value, cell.error);
    return minus(error ? `${number}${gap}± ${error}` : number);
  };
  const titles = [REPORT.extents[map.x].title, REPORT.extents[map.y].title].map(plain);
  const text = cells.map((line, row) => line.map((cell, column) =>
    `${titles[0]} ${plain(words.x[column])}<br>${titles[1]} ${plain(words.y[row])}<br><b>` +
    (cell.known ? said(cell, " ") : cell.feasible ? "no value" : "infeasible") + "</b>"));
  const hatched = cells.flatMap((line, row) => line.flatMap((cell, column) => cell.feasible ? [] : [[row, column]]));
  const line = boundary(cells);
  const heatmap = {
    type: "heatmap", z: cells.map((row) => row.map((cell) => (cell.known ? cell.value : null))),
    hovertext: text, hovertemplate: "%{hovertext}<extra></extra>", zmin: low, zmax: high, colorscale: stops,
    xgap: words.x.length > 24 ? 0 : 1.5, ygap: cells.length > 24 ? 0 : 1.5,
    colorbar: { thickness: 10, outlinewidth: 0, len: 1, tickfont: { size: 11 }, exponentformat: "none", xpad: 6 },
  };
  const hatch = {
    type: "scatter", mode: "lines", ...outlines(hatched), fill: "toself", line: { width: 0 }, hoverinfo: "skip",
    fillpattern: { shape: "/", fgcolor: colour("hatch"), bgcolor: colour("panel"), size: 7, solidity: 0.2 },
  };
  const edge = (name, size) => ({
    type: "scatter", mode: "lines", ...line, line: { color: colour(name), width: size }, hoverinfo: "skip",
  });
  const frame = layout(height, {
    xaxis: axis(REPORT.extents[map.x].title, ticks(words.x)),
    yaxis: axis(REPORT.extents[map.y].title, ticks(words.y), height - 80),
  });
  const numbers = room ? [cellNumbers(cells, (cell) => said(cell, "<br>"))] : [];
  return [[hatch, heatmap, edge("ground", 6), edge("ink", 3), ...numbers], frame];
}

// Numbers in the cells, black or white, whichever has the higher contrast on the cell (WCAG 2.2).
function cellNumbers(cells, said) {
  const known = cells.flatMap((line, row) => line.map((cell, column) => ({ ...cell, row, column }))).filter((cell) => cell.known);
  return {
    type: "scatter", mode: "text", x: known.map((cell) => cell.column), y: known.map((cell) => cell.row),
    text: known.map(said), hoverinfo: "skip", cliponaxis: false,
    textfont: { size: 11, color: known.map((cell) => readableOn(cellColour(cell.value))) },
  };
}

// Red, green and blue, 0 to 255, of a value on the metric's scale.
function cellColour(value) {
  const { low, high, stops } = map.metric.colours;
  const spot = Math.min(Math.max((value - low) / (high - low), 0), 1);
  const next = Math.max(stops.findIndex(([at]) => at >= spot), 1);
  const [[from, start], [to, end]] = [stops[next - 1], stops[next]];
  const share = to > from ? (spot - from) / (to - from) : 0;
  const part = (shade, index) => parseInt(shade.slice(1 + 2 * index, 3 + 2 * index), 16);
  return [0, 1, 2].map((index) => part(start, index) * (1 - share) + part(end, index) * share);
}

function readableOn(shade) {
  const [red, green, blue] = shade.map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  const lightness = 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
  return 1.05 / lightness > lightness / 0.05 ? "white" : "black";
}

// A cube of one axis has no plane: its values as dots with error bars.
function curve(cells, words) {
  const known = cells.map((cell, index) => ({ ...cell, index })).filter((cell) => cell.known);
  const trace = {
    type: "scatter", mode: "lines+markers", x: known.map((cell) => cell.index), y: known.map((cell) => cell.value),
    error_y: { type: "data", array: known.map((cell) => cell.error), thickness: 1.5 },
    line: { color: colour("first"), width: 1 }, marker: { size: 8 },
    text: known.map((cell) => `${plain(words.x[cell.index])}: ${estimate(cell.value, cell.error)}`),
    hovertemplate: "%{text}<extra></extra>",
  };
  const frame = layout(320, {
    xaxis: axis(REPORT.extents[map.x].title, ticks(words.x)),
    yaxis: axis(map.metric.title, {}, 240),
  });
  return [[trace], frame];
}

function mapKey(cells) {
  const all = cells.flat();
  const parts = [];
  if (all.some((cell) => !cell.feasible)) {
    parts.push(element("span", {}, element("i", { class: "hatched" }), "infeasible: margin exceeds equity at opening"));
  }
  if (map.y && boundary(cells).x.length) {
    parts.push(element("span", {}, element("i", { class: "bounded" }),
      `liquidation probability ${general(REPORT.limit, 4)}`));
  }
  parts.push(element("span", {}, "± one standard error"));
  if (!map.metric.name.includes("probability")) {
    parts.push(element("span", {}, "colours are the same at every slider; the last 2% at each end share one"));
  }
  document.getElementById("map-key").replaceChildren(...parts);
}

function mapTable(cells, words) {
  const said = (cell) => (cell.known ? estimate(cell.value, cell.error) : cell.feasible ? MISSING : "infeasible");
  const across = REPORT.extents[map.x].title;
  if (!map.y) return [[across, map.metric.title], cells[0].map((cell, index) => [words.x[index], said(cell)])];
  const headers = [`${REPORT.extents[map.y].title} \\ ${across}`, ...words.x];
  return [headers, cells.map((row, index) => [words.y[index], ...row.map(said)])];
}
