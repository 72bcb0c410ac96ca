"use strict";
// Selects, and a slider for each axis.

function select(name, title, options, chosen, change) {
  const box = element("select", { id: name, name });
  for (const [value, words] of options) {
    box.append(element("option", { value, selected: value === chosen }, words));
  }
  box.addEventListener("change", () => change(box.value));
  return element("div", {}, element("label", { for: name }, title), box);
}

// A slider over the values of a dim; `why` says what made the first value the first.
function slider(name, dim, start, why, change) {
  const { title, words, ordered } = REPORT.extents[dim];
  const shown = (index) => words[index] + (why && index === start.first ? ` (${why})` : "");
  if (!ordered) {
    const options = words.map((word, index) => [String(index), shown(index)]);
    const it = select(name, title, options, String(start.now), (value) => change(Number(value)));
    it.querySelector("select").dataset.dim = dim;
    return it;
  }
  const output = element("output", { for: name }, shown(start.now));
  const range = element("input", {
    id: name, name, type: "range", min: "0", max: String(words.length - 1), step: "1",
    value: String(start.now), "aria-valuetext": shown(start.now), "data-dim": dim,
  });
  range.addEventListener("input", () => {
    output.textContent = shown(Number(range.value));
    range.setAttribute("aria-valuetext", output.textContent);
    change(Number(range.value));
  });
  return element("div", {}, element("label", { for: name }, `${title}: `, output), range);
}
