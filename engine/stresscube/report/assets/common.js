"use strict";
// Numbers of the cube, and how they are written. Texts reach the page as textContent only, and the
// plotting library, which reads a little markup, through plain().

const REPORT = JSON.parse(document.getElementById("report-data").textContent);
const MISSING = "–";

function bytes(base64) {
  return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
}

function floats(packed) {
  packed.numbers ??= new Float32Array(bytes(packed.f4).buffer);
  return packed.numbers;
}

function bits(packed) {
  packed.raw ??= bytes(packed.bits);
  return { at: (index) => ((packed.raw[index >> 3] >> (index & 7)) & 1) === 1 };
}

function extent(dim) {
  return REPORT.extents[dim].words.length;
}

// The place of a cell, {dim: index}, among numbers in C order over the dims.
function place(dims, at) {
  return dims.reduce((index, dim) => index * extent(dim) + (at[dim] ?? 0), 0);
}

// Values and errors as text: the same rules as text.py, and a test holds the two together.
function errorDigits(error) {
  const exponent = Math.floor(Math.log10(error));
  return -exponent + (error / 10 ** exponent < 1.95 ? 1 : 0);
}

const formats = new Map();
function fixed(value, digits) {
  const places = Math.max(digits, 0);
  if (!formats.has(places)) {
    const options = { minimumFractionDigits: places, maximumFractionDigits: places };
    formats.set(places, new Intl.NumberFormat("en-US", options));
  }
  const unit = 10 ** Math.max(-digits, 0);
  const text = formats.get(places).format(Math.round(value / unit) * unit === 0 && unit > 1 ? 0
    : unit > 1 ? Math.round(value / unit) * unit : value);
  return /[1-9]/.test(text) ? text : text.replace("-", "");
}

function general(value, digits) {
  if (!Number.isFinite(value)) return value > 0 ? "inf" : value < 0 ? "-inf" : MISSING;
  if (value === 0) return "0";
  const [head, power] = value.toExponential(digits - 1).split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < digits) return String(Number(value.toPrecision(digits)));
  const sign = exponent < 0 ? "-" : "+";
  return `${Number(head)}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

function uncertain(value, error) {
  if (Number.isNaN(value)) return [MISSING, ""];
  if (!Number.isFinite(error) || error <= 0 || !Number.isFinite(value)) return [general(value, 4), ""];
  const digits = errorDigits(error);
  if (digits > 7 || digits < -6) return [general(value, 3), general(error, 1)];
  return [fixed(value, digits), fixed(error, digits)];
}

function minus(text) {
  return text.replaceAll("-", "−");
}

function estimate(value, error) {
  const [number, width] = uncertain(value, error);
  return minus(width ? `${number} ± ${width}` : number);
}

function plain(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

// Small parts of a page.
function element(name, attributes = {}, ...children) {
  const it = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in it && typeof value !== "string") it[key] = value;
    else it.setAttribute(key, value);
  }
  it.append(...children);
  return it;
}

function tableOf(headers, rows) {
  const cells = (tag, words) => words.map((word) => element(tag, tag === "th" ? { scope: "col" } : {}, word));
  return element("table", {},
    element("thead", {}, element("tr", {}, ...cells("th", headers))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells("td", row)))));
}

// A table under a picture, made when somebody opens it and whenever the picture changes then.
function numbersUnder(figure, build) {
  const details = figure.querySelector("details.numbers");
  const fill = () => {
    if (details.open) details.querySelector(".wide").replaceChildren(tableOf(...build()));
  };
  details.ontoggle = fill;
  fill();
}

// The look of every picture, in the colours that the page has at the moment.
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const SERIES = ["first", "second", "third", "fourth", "fifth"];
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "x"];
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];

// A title in lines that fit into so many pixels.
function folded(title, pixels) {
  const most = Math.max(Math.floor(pixels / 7.2), 12);
  const lines = [""];
  for (const word of String(title).split(" ")) {
    if (lines.at(-1) && lines.at(-1).length + word.length >= most) lines.push("");
    lines.push(`${lines.pop()} ${word}`.trim());
  }
  return lines.map(plain).join("<br>");
}

function axis(title, more = {}, pixels = document.querySelector("main").clientWidth - 110) {
  return {
    title: { text: folded(title, pixels), standoff: 8 }, automargin: true, fixedrange: true, zeroline: false,
    gridcolor: colour("line"), linecolor: colour("line"), tickcolor: colour("line"),
    exponentformat: "none", ...more,
  };
}

function layout(height, more) {
  const ink = colour("ink");
  return {
    height, autosize: true, dragmode: false, hovermode: "closest", showlegend: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: ink },
    hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("line"), font: { color: ink }, align: "left" },
    margin: { l: 8, r: 12, t: 10, b: 8 }, ...more,
  };
}

function draw(figure, traces, frame, words) {
  const plot = figure.querySelector(".plot");
  plot.style.minHeight = `${frame.height}px`;
  plot.setAttribute("aria-label", words);
  return Plotly.react(plot, traces, frame, { responsive: true, displayModeBar: false, displaylogo: false });
}
