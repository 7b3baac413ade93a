// The section of curves: all charts in groups, with one smoothing, one scale and one zoom.

/** The view that all charts share. */
function makeView() {
  const view = { smooth: 0, log: false, range: null, step: null, charts: [] };
  view.zoom = (range) => go({
    from: range ? String(range[0]) : "",
    to: range ? String(range[1]) : "",
  });
  view.point = (step) => {
    view.step = step;
    for (const chart of view.charts) chart.point(step);
  };
  view.read = () => {
    view.smooth = Math.min(0.98, Math.max(0, Number(at("smooth")) || 0));
    view.log = at("scale") === "log";
    const [from, to] = [Number(at("from")), Number(at("to"))];
    view.range = at("to") !== "" && from < to ? [from, to] : null;
  };
  return view;
}

/** Fill #curves. Returns a function that draws everything again, e.g. for new data. */
function makeCurves(section, data, view) {
  const grid = make("div", {});
  const bar = curveBar(data);
  fill(section, make("h2", { id: "curves-title" }, "Curves"), bar.node, grid);
  const build = () => {
    bar.update(data);
    view.read();
    const groups = [...new Set(data.charts.map(({ group }) => group))];
    const wanted = groups.includes(at("group")) ? [at("group")] : groups;
    view.charts = view.charts.filter((chart) => chart.kept);
    fill(grid, wanted.map((group) => groupOfCharts(group, data, view)));
    for (const chart of view.charts) chart.draw();
  };
  onChange((changed) => {
    if (changed.has("group")) build();
    else if (["smooth", "scale", "from", "to"].some((name) => changed.has(name))) {
      bar.update(data);
      view.read();
      for (const chart of view.charts) chart.draw();
    }
  });
  window.addEventListener("resize", () => view.charts.forEach((chart) => chart.draw()));
  return build;
}

function groupOfCharts(group, data, view) {
  const charts = data.charts.filter((chart) => chart.group === group)
    .map((spec) => makeChart(spec, data, view));
  view.charts.push(...charts);
  return make("section", { class: "curve-group", "aria-label": group },
    make("h3", {}, group), make("div", { class: "grid" }, charts.map(({ node }) => node)));
}

function curveBar() {
  const chips = make("div", { class: "chips", role: "group", "aria-label": "Group of curves" });
  const smooth = make("input", { type: "range", min: 0, max: 0.98, step: 0.02, id: "smooth",
    oninput: (event) => go({ smooth: event.target.value }) });
  const amount = make("output", { for: "smooth" });
  const log = make("button", { type: "button", class: "chip",
    onclick: () => go({ scale: at("scale") === "log" ? "linear" : "log" }) }, "Log scale");
  const all = make("button", { type: "button", class: "chip",
    onclick: () => go({ from: "", to: "" }) }, "All steps");
  const note = make("p", { class: "soft" });
  const node = make("div", { class: "bar" }, chips,
    make("label", { for: "smooth" }, "Smoothing"), smooth, amount, log, all, note);
  const update = (data) => {
    const groups = ["", ...new Set(data.charts.map(({ group }) => group))];
    fill(chips, groups.map((group) => make("button", { type: "button", class: "chip",
      "aria-pressed": String(at("group") === group), onclick: () => go({ group }) },
    group || "All")));
    smooth.value = at("smooth");
    amount.textContent = Number(at("smooth")) > 0 ? Number(at("smooth")).toFixed(2) : "off";
    log.setAttribute("aria-pressed", String(at("scale") === "log"));
    all.disabled = at("to") === "";
    fill(note, curveNote(data));
  };
  return { node, update };
}

function curveNote({ steps, all_steps: count }) {
  const thinned = count > steps.length
    ? ` ${steps.length.toLocaleString("en")} of ${count.toLocaleString("en")} steps are drawn.` : "";
  return `Drag over a chart to zoom, double-click to see all steps again; with the keyboard: `
    + `arrows, +, − and 0.${thinned}`;
}
