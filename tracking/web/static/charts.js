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
const draw = () => {
  for (const place of document.querySelectorAll(".chart[data-spec]")) {
    const text = document.getElementById(place.dataset.spec).textContent;
    // On a telephone names at the side may take a third of the width, and legends stand below each other.
    const narrow = (key, value) => key === "labelLimit" ? Math.min(value, place.clientWidth / 3) : value;
    const spec = JSON.parse(text, place.clientWidth < 480 ? narrow : undefined);
    if (place.clientWidth < 480) spec.config.legend.columns = text.includes('"yOffset"') ? 1 : 2;
    vegaEmbed(place, spec, options()).catch((error) => console.error(error));
  }
};
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
document.body.addEventListener("htmx:after:swap", draw);
