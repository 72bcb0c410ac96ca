"use strict";
// The best policies side by side, at the market that the sliders choose.

const FEW = 3;
const EDGES = [[0.01, 0.99, 1.5], [0.05, 0.95, 5], [0.25, 0.75, 12]];

const compared = { content: REPORT.compared, shown: new Set(), at: {} };

function startCompared() {
  const { names, worst } = compared.content;
  names.slice(0, FEW).forEach((_, row) => compared.shown.add(row));
  compared.at = { ...worst };
  const list = element("fieldset", {}, element("legend", {}, "Policies, best first"), ...names.map(policyBox));
  const sliders = compared.content.market.filter((dim) => extent(dim) > 1).map((dim) =>
    slider(`compared-${dim}`, dim, { now: worst[dim], first: worst[dim] }, "worst for the best policy", (index) => {
      compared.at[dim] = index;
      drawCompared();
    }));
  document.getElementById("compared-controls").replaceChildren(list, ...sliders);
  drawCompared();
}

function policyBox(name, row) {
  const box = element("input", { type: "checkbox", id: `policy-${row}`, checked: compared.shown.has(row) });
  box.addEventListener("change", () => {
    if (box.checked) compared.shown.add(row);
    else compared.shown.delete(row);
    drawCompared();
  });
  const swatch = element("i", { class: "swatch", "aria-hidden": "true" });
  swatch.style.background = `var(--${SERIES[row]})`;
  return element("label", { for: `policy-${row}` }, box, swatch, `${row + 1}: ${name}`);
}

// Value and error of a metric for one policy at the chosen market; `more` places further dims.
function estimateOf(name, row, more = {}) {
  const metric = compared.content.metrics[name];
  let index = row;
  for (const dim of metric.dims.slice(1)) {
    index = index * extent(dim) + ({ ...compared.at, ...more }[dim] ?? 0);
  }
  return { value: floats(metric.values)[index], error: floats(metric.errors)[index] };
}

function rows() {
  return [...compared.shown].sort();
}

function look(row) {
  return {
    color: colour(SERIES[row]),
    line: { color: colour(SERIES[row]), width: 2, dash: DASHES[row] },
    marker: { color: colour(SERIES[row]), symbol: SYMBOLS[row], size: 8 },
  };
}

const CHARTS = {
  survival: drawSurvival,
  returns: (figure) => drawStrips(figure, "return_quantile", null),
  drawdowns: (figure) => drawStrips(figure, "max_drawdown_quantile", null),
  "regime-returns": (figure) => drawStrips(figure, "regime_gain_quantile", "regime"),
  "regime-drawdowns": (figure) => drawDots(figure, "regime_drawdown_mean"),
  "regime-risks": (figure) => drawDots(figure, "regime_liquidation_probability"),
  costs: (figure) => drawBars(figure, compared.content.costs.map((name) => [name, 1])),
  account: (figure) => drawBars(figure, compared.content.account.map((name) => [name, accountSign(name)])),
};

function drawCompared() {
  for (const figure of document.querySelectorAll("figure.chart")) CHARTS[figure.dataset.chart](figure);
}

function heading(figure) {
  return figure.querySelector("h3").textContent;
}

function where() {
  const parts = compared.content.market.filter((dim) => extent(dim) > 1)
    .map((dim) => `${REPORT.extents[dim].title} = ${REPORT.extents[dim].words[compared.at[dim]]}`);
  return parts.length ? ` at ${parts.join(", ")}` : "";
}

function finish(figure, traces, frame, table) {
  const policies = rows().map((row) => `policy ${row + 1}`).join(", ") || "no policy";
  draw(figure, traces, frame, `${heading(figure)} of ${policies}${where()}; the numbers are below.`);
  numbersUnder(figure, table);
}

function drawSurvival(figure) {
  const times = compared.content.times;
  const lines = rows().map((row) => ({ row, cells: times.map((_, time) => estimateOf("survival", row, { time })) }));
  const traces = lines.flatMap(({ row, cells }) => {
    const bound = (sign) => cells.map((cell) => Math.min(Math.max(cell.value + sign * cell.error, 0), 1));
    const { color, line, marker } = look(row);
    const band = { type: "scatter", x: times, mode: "lines", line: { width: 0, shape: "hv" }, hoverinfo: "skip" };
    return [
      { ...band, y: bound(-1) },
      { ...band, y: bound(1), fill: "tonexty", fillcolor: `${color}30` },
      {
        type: "scatter", mode: "lines", x: times, y: cells.map((cell) => cell.value), line: { ...line, shape: "hv" }, marker,
        text: cells.map((cell, time) =>
          `policy ${row + 1}, after ${general(times[time], 4)} h<br><b>${estimate(cell.value, cell.error)}</b>`),
        hovertemplate: "%{text}<extra></extra>",
      },
    ];
  });
  const low = Math.min(0.99, ...lines.flatMap(({ cells }) => cells.map((cell) => cell.value - cell.error)).filter(Number.isFinite));
  const frame = layout(300, {
    xaxis: axis(REPORT.extents.time.title),
    yaxis: axis("share of accounts", { range: [low - 0.05 * (1 - low), 1 + 0.05 * (1 - low)] }),
  });
  finish(figure, traces, frame, () => [
    ["time (h)", ...lines.map(({ row }) => `policy ${row + 1}`)],
    times.map((time, index) => [general(time, 4), ...lines.map(({ cells }) => estimate(cells[index].value, cells[index].error))]),
  ]);
}

// Each policy, or each policy in each regime, as a strip through its quantiles.
function drawStrips(figure, name, further) {
  const quantiles = compared.content.quantiles;
  const groups = further ? REPORT.extents[further].words : [null];
  const strips = groups.flatMap((group, index) => rows().map((row) => ({
    row, group,
    cells: quantiles.map((_, quantile) => estimateOf(name, row, { quantile, ...(further ? { [further]: index } : {}) })),
  })));
  strips.forEach((strip, index) => { strip.y = -index - (further ? 0.6 * groups.indexOf(strip.group) : 0); });
  const at = (wanted) => quantiles.findIndex((quantile) => Math.abs(quantile - wanted) < 1e-9);
  const marked = quantiles.map((_, index) => index).filter((index) =>
    quantiles[index] === 0.5 || EDGES.some(([low, high]) => index === at(low) || index === at(high)));
  const traces = strips.flatMap(({ row, group, cells, y }) => {
    const { color, marker } = look(row);
    const bars = EDGES.filter(([low, high]) => at(low) >= 0 && at(high) >= 0).map(([low, high, width]) => ({
      type: "scatter", mode: "lines", x: [cells[at(low)].value, cells[at(high)].value], y: [y, y],
      line: { color, width }, opacity: width > 4 ? 0.45 : 1, hoverinfo: "skip",
    }));
    const dots = {
      type: "scatter", mode: "markers", x: marked.map((index) => cells[index].value), y: marked.map(() => y),
      error_x: { type: "data", array: marked.map((index) => cells[index].error), thickness: 1, width: 3, color: colour("ink") },
      marker: { ...marker, size: marked.map((index) => (quantiles[index] === 0.5 ? 10 : 3)), line: { color: colour("ground"), width: 1 } },
      text: marked.map((index) => `policy ${row + 1}${group ? `, ${plain(group)}` : ""}<br>` +
        `${general(quantiles[index], 4)} quantile: <b>${estimate(cells[index].value, cells[index].error)}</b>`),
      hovertemplate: "%{text}<extra></extra>",
    };
    return [...bars, dots];
  });
  const title = compared.content.metrics[name].title.replace(/^quantile of (the )?/, "");
  const words = strips.map(({ row, group }) => (group ? `${plain(group)} · ${row + 1}` : `policy ${row + 1}`));
  const frame = layout(80 + 44 * Math.max(strips.length, 1), {
    xaxis: axis(title, { zeroline: true, zerolinecolor: colour("pale") }),
    yaxis: axis("", { tickmode: "array", tickvals: strips.map(({ y }) => y), ticktext: words, showgrid: false,
      range: [Math.min(0, ...strips.map(({ y }) => y)) - 0.7, 0.7] }),
  });
  finish(figure, traces, frame, () => [
    ["quantile", ...strips.map(({ row, group }) => `${group ? `${group}, ` : ""}policy ${row + 1}`)],
    quantiles.map((quantile, index) => [general(quantile, 4), ...strips.map(({ cells }) => estimate(cells[index].value, cells[index].error))]),
  ]);
}

// Marks that stand side by side in groups: `names` of groups, cells[policy][group]. A share has no
// whisker below 0.
function grouped(figure, names, cells, title, kind, share = false) {
  const shown = rows();
  const step = 0.8 / Math.max(shown.length, 1);
  const traces = shown.map((row, index) => {
    const { color, marker } = look(row);
    const y = names.map((_, group) => -group - (index - (shown.length - 1) / 2) * step);
    const values = cells[index].map((cell) => cell.value);
    const text = cells[index].map((cell, group) =>
      `policy ${row + 1}<br>${plain(names[group])}: <b>${estimate(cell.value, cell.error)}</b>`);
    const error = {
      type: "data", symmetric: false, array: cells[index].map((cell) => cell.error),
      arrayminus: cells[index].map((cell) => (share ? Math.min(cell.error, cell.value) : cell.error)),
      thickness: 1.5, width: 4, color: colour("ink"),
    };
    const common = { x: values, y, error_x: error, text, hovertemplate: "%{text}<extra></extra>" };
    if (kind === "dots") return { type: "scatter", mode: "markers", marker, ...common };
    return { type: "bar", orientation: "h", width: step * 0.85, marker: { color }, textposition: "none", ...common };
  });
  const frame = layout(80 + names.length * Math.max(34, 20 * shown.length), {
    barmode: "overlay",
    xaxis: axis(title, { zeroline: true, zerolinecolor: colour("pale") }),
    yaxis: axis("", { tickmode: "array", tickvals: names.map((_, group) => -group), ticktext: names.map((name) => folded(name, 100)),
      showgrid: false, range: [-names.length + 0.5, 0.5] }),
  });
  finish(figure, traces, frame, () => [
    ["", ...shown.map((row) => `policy ${row + 1}`)],
    names.map((name, group) => [name, ...cells.map((line) => estimate(line[group].value, line[group].error))]),
  ]);
}

function drawDots(figure, name) {
  const regimes = REPORT.extents.regime.words;
  const cells = rows().map((row) => regimes.map((_, regime) => estimateOf(name, row, { regime })));
  grouped(figure, regimes, cells, compared.content.metrics[name].title, "dots", name.includes("probability"));
}

const TERMS = {
  pnl_a_mean: "leg a", pnl_b_mean: "leg b", fees_mean: "fees", slippage_mean: "slippage", funding_mean: "funding",
  liquidation_cost_mean: "cost of liquidation", deficit_mean: "borne by the exchange", return_mean: "mean return",
};

function accountSign(name) {
  return compared.content.costs.includes(name) ? -1 : 1;
}

function drawBars(figure, terms) {
  const cells = rows().map((row) => terms.map(([name, sign]) => {
    const { value, error } = estimateOf(name, row);
    return { value: sign * value + 0, error };
  }));
  grouped(figure, terms.map(([name]) => TERMS[name]), cells, "over starting equity", "bars");
}
