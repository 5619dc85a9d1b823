// Draws each Vega-Lite specification of the page. The interpreter evaluates expressions as trees, so that the page
// needs no right to run text as a program.
import { expressionInterpreter } from "./vendor/vega-interpreter.js";

const dark = () => {
  const told = document.documentElement.dataset.theme;
  return told ? told === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};
const options = () => ({
  ast: true, expr: expressionInterpreter, renderer: "svg", actions: false, defaultStyle: false,
  tooltip: { disableDefaultStyle: true }, config: dark() ? { background: null, ...darkConfig } : { background: null },
});
const darkConfig = {
  view: { stroke: "#3a4452" }, title: { color: "#e8eaed" }, style: { "guide-label": { fill: "#c2c7d0" }, "guide-title": { fill: "#c2c7d0" } },
  axis: { domainColor: "#6b7686", gridColor: "#3a4452", tickColor: "#6b7686" },
};
// On a telephone names at the side take a third of the width and two lines, and legends stand below each other.
const squeeze = (spec, most) => {
  const axes = spec.layer.map((layer) => layer.encoding.y).filter((y) => y?.type === "nominal" && y.axis).map((y) => y.axis);
  spec.config.legend.columns = axes.length ? 1 : 2;
  const names = new Set(Object.values(spec.datasets).flat().map((row) => row.campaign).filter((name) => name?.length > 15));
  const lines = Object.fromEntries([...names].map((name) => [name, halves(name)]));
  for (const axis of axes) {
    axis.labelLimit = Math.min(axis.labelLimit, most);
    axis.labelExpr = `(${JSON.stringify(lines)})[datum.label] || datum.label`;
  }
  if (axes.length && names.size) spec.height = Math.max(spec.height, 32 * new Set(Object.values(spec.datasets).flat().map((row) => row.campaign)).size);
};
const halves = (name) => {
  const gaps = [...name.matchAll(/ /g)].map((gap) => gap.index).sort((a, b) => Math.abs(a - name.length / 2) - Math.abs(b - name.length / 2));
  return gaps.length ? [name.slice(0, gaps[0]), name.slice(gaps[0] + 1)] : name;
};
const draw = () => {
  for (const place of document.querySelectorAll(".chart[data-spec]")) {
    const text = document.getElementById(place.dataset.spec).textContent;
    const spec = JSON.parse(text);
    if (place.clientWidth < 480) squeeze(spec, place.clientWidth / 3);
    vegaEmbed(place, spec, options()).catch((error) => console.error(error));
  }
};
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
document.body.addEventListener("htmx:after:swap", draw);
