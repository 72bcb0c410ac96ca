"use strict";
// First drawing, and again when the reader's theme or the width of the page changes.

function drawAll() {
  if (map.metric) drawMap();
  drawCompared();
}

startMap();
startCompared();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);

let width = document.documentElement.clientWidth;
let waiting = 0;
addEventListener("resize", () => {
  if (document.documentElement.clientWidth === width) return;
  width = document.documentElement.clientWidth;
  clearTimeout(waiting);
  waiting = setTimeout(drawAll, 150);
});
document.documentElement.dataset.ready = "yes";
