// One line chart: drawing, hovering, zooming, by mouse, touch and keyboard.

const MARGIN = { left: 50, right: 12, top: 10, bottom: 24 };
const DASHES = ["", "7 4", "2 3", "9 3 2 3", "4 2", "1 4", "12 3"];
const COLOURS = 7;

/**
 * A card with a chart. data: {steps, metrics, evaluations}; view: {smooth, log, range} and the
 * functions zoom([from, to] or null) and point(step or null), shared by all charts.
 * Returns {node, draw(), point(step)}.
 */
function makeChart(spec, data, view, height = 180) {
  const svg = makeSvg("svg", { role: "img", tabindex: 0, class: "plot" });
  const reading = make("p", { class: "reading", "aria-live": "off" });
  const heading = make("h4", {}, spec.title);
  const unit = make("span", { class: "unit" }, spec.unit);
  const node = make("figure", { class: "card chart" }, heading, unit, svg, legend(spec), reading);
  const chart = { spec, data, view, svg, node, reading, height, cursor: null };
  const draw = () => drawChart(chart);
  listen(chart);
  return { node, draw, point: (step) => pointAt(chart, step) };
}

function legend(spec) {
  const keys = spec.series.map(([label], i) =>
    make("span", { class: "key" }, sample(i), label),
  );
  if (spec.marks) {
    const dot = makeSvg("svg", { class: "sample", viewBox: "0 0 22 8", "aria-hidden": "true" },
      makeSvg("circle", { cx: 11, cy: 4, r: 3.5, class: "mark-dot" }));
    keys.push(make("span", { class: "key" }, dot, "held-out"));
  }
  return make("figcaption", {}, keys);
}

function sample(i) {
  const line = makeSvg("line", { x1: 0, x2: 22, y1: 4, y2: 4, class: strokeOf(i) });
  line.setAttribute("stroke-dasharray", DASHES[i % DASHES.length]);
  return makeSvg("svg", { class: "sample", viewBox: "0 0 22 8", "aria-hidden": "true" }, line);
}

function strokeOf(i) {
  return `line stroke-${i % COLOURS}`;
}

/** The points of every series inside the zoomed range; on a log axis, those above 0. */
function linesOf({ spec, data, view }) {
  const [from, to] = rangeOf(data, view);
  return spec.series.map(([label, metric]) => {
    const values = data.metrics[metric];
    const all = data.steps
      .map((x, i) => ({ x, y: values[i] }))
      .filter(({ y }) => y !== null && (!view.log || y > 0));
    const inside = ({ x }) => x >= from && x <= to;
    const smooth = view.smooth > 0 ? smoothed(all, view.smooth).filter(inside) : null;
    return { label, metric, raw: all.filter(inside), smooth };
  });
}

function marksOf({ spec, data, view }) {
  if (!spec.marks) return [];
  const [from, to] = rangeOf(data, view);
  return data.evaluations
    .map((entry) => ({ x: entry.step, y: entry[spec.marks] }))
    .filter(({ x, y }) => x >= from && x <= to && (!view.log || y > 0));
}

function rangeOf(data, view) {
  if (view.range) return view.range;
  const first = data.evaluations.length ? data.evaluations[0].step : data.steps[0];
  return [Math.min(first, data.steps[0]), data.steps[data.steps.length - 1]];
}

function scalesOf(chart, lines, marks) {
  const { spec, data, view } = chart;
  const drawn = lines.flatMap(({ raw, smooth }) => smooth ?? raw).concat(marks);
  const values = drawn.map(({ y }) => y);
  let low = values.reduce((a, b) => Math.min(a, b), Infinity);
  let high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  if (!values.length) [low, high] = [view.log ? 0.1 : 0, 1];
  if (!view.log) {
    low = spec.low !== null ? Math.min(spec.low, low) : low;
    high = spec.high !== null ? Math.max(spec.high, high) : high;
  }
  const width = chart.svg.clientWidth || 340;
  const x = linearScale(...rangeOf(data, view), Math.max(2, Math.floor(width / 90)));
  const y = view.log ? logScale(low, high) : linearScale(low, high, 4);
  const across = width - MARGIN.left - MARGIN.right;
  const down = chart.height - MARGIN.top - MARGIN.bottom;
  return {
    width,
    x,
    y,
    left: (step) => MARGIN.left + across * x.place(step),
    top: (value) => MARGIN.top + down * (1 - Math.min(1.02, Math.max(-0.02, y.place(value)))),
    step: (pixel) => x.low + ((pixel - MARGIN.left) / across) * (x.high - x.low),
  };
}

function drawChart(chart) {
  const lines = linesOf(chart);
  const marks = marksOf(chart);
  const scales = scalesOf(chart, lines, marks);
  Object.assign(chart, { lines, scales });
  chart.svg.setAttribute("viewBox", `0 0 ${scales.width} ${chart.height}`);
  chart.svg.setAttribute("height", chart.height);
  chart.svg.setAttribute("aria-label", spoken(chart));
  chart.cursor = makeSvg("g", { class: "cursor" });
  fill(chart.svg, axes(chart), lines.flatMap((line, i) => drawLine(line, i, scales)),
    marks.map(({ x, y }) =>
      makeSvg("circle", { cx: scales.left(x), cy: scales.top(y), r: 4, class: "mark-dot" })),
    chart.cursor);
  readAt(chart, null);
}

function axes({ scales, height }) {
  const group = makeSvg("g", { class: "axes" });
  for (const value of scales.y.ticks) {
    const y = scales.top(value);
    group.append(
      makeSvg("line", { x1: MARGIN.left, x2: scales.width - MARGIN.right, y1: y, y2: y }),
      makeSvg("text", { x: MARGIN.left - 6, y: y + 4, "text-anchor": "end" }, number(value)),
    );
  }
  for (const step of scales.x.ticks.filter(Number.isInteger)) {
    group.append(makeSvg("text", { x: scales.left(step), y: height - 6, "text-anchor": "middle" },
      number(step)));
  }
  return group;
}

function drawLine({ raw, smooth }, i, scales) {
  const place = ({ x, y }) => `${scales.left(x).toFixed(1)},${scales.top(y).toFixed(1)}`;
  const line = (points, style) => {
    if (points.length === 1) {
      return makeSvg("circle", { cx: scales.left(points[0].x), cy: scales.top(points[0].y), r: 2.5,
        class: `${style} dot` });
    }
    const node = makeSvg("polyline", { points: points.map(place).join(" "), class: style });
    node.setAttribute("stroke-dasharray", DASHES[i % DASHES.length]);
    return node;
  };
  if (!smooth) return [line(raw, strokeOf(i))];
  return [line(raw, `${strokeOf(i)} faint`), line(smooth, strokeOf(i))];
}

/** What a screen reader says about the chart: first and last value of each line. */
function spoken({ spec, lines }) {
  const said = lines.filter(({ raw }) => raw.length).map(({ label, raw }) => {
    const [first, last] = [raw[0], raw[raw.length - 1]];
    return `${label}: ${number(first.y)} at step ${first.x}, ${number(last.y)} at step ${last.x}`;
  });
  return `${spec.title}, ${spec.unit}. ${said.join(". ")}. Arrow keys read values, plus and minus `
    + "zoom, 0 shows all steps.";
}

/** Put the cursor of this chart at a step; null takes it away. */
function pointAt(chart, step) {
  if (!chart.cursor) return;
  const { scales, lines, cursor } = chart;
  if (step === null || step < scales.x.low || step > scales.x.high) fill(cursor);
  else {
    const x = scales.left(step);
    const dots = lines.flatMap(({ raw, smooth }, i) => {
      const point = (smooth ?? raw).find((candidate) => candidate.x === step);
      if (!point) return [];
      return [makeSvg("circle", { cx: x, cy: scales.top(point.y), r: 3.5,
        class: `dot stroke-${i % COLOURS}` })];
    });
    fill(cursor, makeSvg("line", { x1: x, x2: x, y1: MARGIN.top,
      y2: chart.height - MARGIN.bottom }), dots);
  }
  readAt(chart, step);
}

/** The line below the chart: the values at the cursor, or the last ones. */
function readAt({ lines, reading, data, view }, step) {
  const to = rangeOf(data, view)[1];
  const shownStep = step ?? data.steps.findLast((candidate) => candidate <= to);
  const values = lines.flatMap(({ label, raw }) => {
    const point = raw.find(({ x }) => x === shownStep);
    return point ? [`${lines.length > 1 ? `${label} ` : ""}${number(point.y)}`] : [];
  });
  fill(reading, make("b", {}, `step ${shownStep}`), ` ${values.join("  ·  ")}`);
}

function listen(chart) {
  const { svg, view, data } = chart;
  let start = null; // of a drag, in steps
  const nearest = (event) => {
    const box = svg.getBoundingClientRect();
    const wanted = chart.scales.step(event.clientX - box.left);
    return data.steps.reduce((best, step) =>
      Math.abs(step - wanted) < Math.abs(best - wanted) ? step : best, data.steps[0]);
  };
  svg.addEventListener("pointerdown", (event) => {
    start = nearest(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    const step = nearest(event);
    view.point(step);
    if (start !== null) shade(chart, start, step);
  });
  svg.addEventListener("pointerup", (event) => {
    const end = nearest(event);
    if (start !== null && start !== end) view.zoom([Math.min(start, end), Math.max(start, end)]);
    start = null;
  });
  svg.addEventListener("pointercancel", () => { start = null; });
  svg.addEventListener("pointerleave", () => view.point(null));
  svg.addEventListener("dblclick", () => view.zoom(null));
  svg.addEventListener("keydown", (event) => chartKey(chart, event));
  svg.addEventListener("blur", () => view.point(null));
}

function shade({ cursor, scales, height }, from, to) {
  const [left, right] = [from, to].map(scales.left).sort((a, b) => a - b);
  cursor.append(makeSvg("rect", { x: left, width: right - left, y: MARGIN.top,
    height: height - MARGIN.top - MARGIN.bottom, class: "shade" }));
}

function chartKey(chart, event) {
  const { data, view } = chart;
  const [from, to] = rangeOf(data, view);
  const steps = data.steps.filter((step) => step >= from && step <= to);
  const index = steps.indexOf(view.step);
  const move = (to) => view.point(steps[Math.min(steps.length - 1, Math.max(0, to))]);
  const near = (share) => {
    const centre = view.step ?? (from + to) / 2;
    const reach = Math.max(1, ((to - from) / 2) * share);
    const [first, last] = [data.steps[0], data.steps[data.steps.length - 1]];
    view.zoom([Math.max(first, Math.round(centre - reach)),
      Math.min(last, Math.round(centre + reach))]);
  };
  const actions = {
    ArrowRight: () => move(index + 1),
    ArrowLeft: () => move(index === -1 ? steps.length - 1 : index - 1),
    "+": () => near(0.5),
    "-": () => near(2),
    0: () => view.zoom(null),
  };
  if (!actions[event.key]) return;
  event.preventDefault();
  chart.reading.setAttribute("aria-live", "polite");
  actions[event.key]();
}
