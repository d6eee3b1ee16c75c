// Interactive plots. The figures come from the JSON block "data"; Plotly itself lies in the page, compressed.
"use strict";

const report = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const hidden = new Set();
const sizes = { "triangle-up": 12, "triangle-down": 12, star: 13, cross: 10, x: 10, pentagon: 10 }; // that look alike
let measure = report.measures[0];
root.classList.add("scripted");

const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
const text = (value) => String(value).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const grouped = (number) => number.toLocaleString("en-US");
const rate = (bpp) => (bpp >= 0.01 ? bpp.toFixed(4) : bpp.toPrecision(3));
const quality = (value) => `${value.toFixed(measure.digits)} ${measure.unit}`.trim();

async function loadPlotly() {
  const packed = atob(document.getElementById("plotly").textContent.trim());
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(plain).text();
  document.head.append(script);
}

function definedPoints(curve, video) {
  return curve.points[video].filter((point) => point[measure.name] !== null);
}

function hoverText(curve, point) {
  const size = point.bytes === null ? "" : `, ${grouped(point.bytes)} bytes`;
  const head = [`<b>${text(curve.label)}</b>`, text(point.setting)].filter((part) => part).join("<br>");
  return `${head}<br>${rate(point.bpp)} bit/pixel${size}<br>${measure.label} ${quality(point[measure.name])}`;
}

function trace(curve, number, video) {
  const points = definedPoints(curve, video);
  const paint = colour(curve.colour);
  return {
    type: "scatter",
    mode: "lines+markers",
    name: text(curve.label),
    visible: !hidden.has(number),
    x: points.map((point) => point.bpp),
    y: points.map((point) => point[measure.name]),
    hovertext: points.map((point) => hoverText(curve, point)),
    hoverinfo: "text",
    line: { color: paint, width: curve.own ? 2.5 : 1.5, dash: curve.dash },
    marker: {
      color: curve.anchor ? colour("--paper") : paint,
      symbol: curve.symbol,
      size: sizes[curve.symbol] ?? 9,
      line: { color: curve.anchor ? paint : colour("--paper"), width: 1 },
    },
  };
}

function padded(values, least) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = Math.max(0.06 * (high - low), least);
  return [low - room, high + room];
}

// Ticks of a logarithmic axis, as few and as round as the range allows.
function logTicks([low, high]) {
  const [from, to] = [10 ** low, 10 ** high];
  for (const steps of [[1], [1, 2, 5], [1, 1.5, 2, 3, 5, 7]]) {
    const powers = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, at) => Math.floor(low) + at);
    const ticks = powers.flatMap((power) => steps.map((step) => Number((step * 10 ** power).toPrecision(3))));
    const inside = ticks.filter((tick) => tick >= from && tick <= to);
    if (inside.length >= 3) return { tickvals: inside, ticktext: inside.map(String) };
  }
  const rough = (to - from) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const ticks = [0, 1, 2, 3].map((at) => Number((step * (Math.ceil(from / step) + at)).toPrecision(6)));
  const inside = ticks.filter((tick) => tick <= to);
  return { tickvals: inside, ticktext: inside.map(String) };
}

function layout(points) {
  const grid = { gridcolor: colour("--line"), linecolor: colour("--soft"), zeroline: false, ticks: "outside" };
  const title = (words) => ({ text: words, standoff: 10 });
  const range = padded(points.map((point) => Math.log10(point.bpp)), 0.05);
  const unit = measure.unit ? `, ${measure.unit}` : "";
  return {
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--soft") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 64, r: 12, t: 10, b: 56 },
    showlegend: false,
    hovermode: "closest",
    hoverlabel: { bgcolor: colour("--panel"), bordercolor: colour("--line"), font: { color: colour("--ink"), size: 13 } },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    xaxis: { ...grid, type: "log", title: title("Rate, bit/pixel (log scale)"), range, tickmode: "array", ...logTicks(range), tickangle: 0 },
    yaxis: {
      ...grid,
      title: title(`${measure.label}${unit}`),
      range: padded(points.map((point) => point[measure.name]), measure.unit ? 0.2 : 0.002),
      nticks: 8,
    },
  };
}

function drawPlot(place) {
  const video = Number(place.dataset.video);
  const points = report.curves.flatMap((curve) => definedPoints(curve, video));
  const note = place.parentElement.querySelector(".undefined");
  note.textContent = `${measure.label} is not defined for this video; the note under its table says why.`;
  note.hidden = points.length > 0;
  place.hidden = points.length === 0;
  if (place.hidden) return;
  const traces = report.curves.map((curve, number) => trace(curve, number, video));
  Plotly.react(place, traces, layout(points), { responsive: true, displayModeBar: false, doubleClick: "reset" });
  if (place.dataset.drawn) return;
  place.dataset.drawn = "true";
  place.on("plotly_relayout", (change) => {
    if (!("xaxis.range[0]" in change || "xaxis.range" in change)) return;
    const { tickvals, ticktext } = logTicks(place.layout.xaxis.range);
    Plotly.relayout(place, { "xaxis.tickvals": tickvals, "xaxis.ticktext": ticktext });
  });
}

function drawPlots() {
  if (window.Plotly) document.querySelectorAll(".plot").forEach(drawPlot);
}

function chooseMeasure(name) {
  measure = report.measures.find((candidate) => candidate.name === name);
  document.querySelectorAll("[data-measure]").forEach((part) => {
    part.hidden = part.dataset.measure !== name;
  });
  drawPlots();
}

document.querySelectorAll('input[name="measure"]').forEach((button) => {
  button.addEventListener("change", () => chooseMeasure(button.value));
  if (button.checked) chooseMeasure(button.value);
});
document.querySelectorAll("[data-curve]").forEach((button) => {
  button.addEventListener("click", () => {
    const number = Number(button.dataset.curve);
    const shown = hidden.delete(number);
    if (!shown) hidden.add(number);
    button.setAttribute("aria-pressed", String(shown));
    drawPlots();
  });
});
document.querySelectorAll('input[name="length"]').forEach((button) => {
  button.addEventListener("change", () => {
    document.querySelectorAll(".bar").forEach((bar) => {
      bar.style.setProperty("--length", button.value === "bytes" ? bar.dataset.length : 100);
    });
  });
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawPlots);
addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((part) => (part.open = true));
});
loadPlotly().then(
  () => {
    root.classList.add("plots-ready");
    drawPlots();
  },
  () => root.classList.add("plots-static"), // an old browser: the pictures for paper stay
);
