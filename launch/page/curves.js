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
  const bar = curveBar();
  fill(section, make("h2", { id: "curves-title" }, "Curves"), bar.node, grid);
  const build = () => {
    bar.update(data);
    view.read();
    view.charts = view.charts.filter((chart) => chart.kept);
    fill(grid, chosenGroups(data.charts).map(([title, charts]) =>
      groupOfCharts(title, charts, data, view)));
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

/** [[title, charts]] for what the address asks for: one group, all, or the few that matter. */
function chosenGroups(charts) {
  const names = groupNames(charts);
  const keys = charts.filter(({ key }) => key);
  if (at("group") === "" && keys.length) return [["", keys]];
  const wanted = names.includes(at("group")) ? [at("group")] : names;
  return wanted.map((name) => [name, charts.filter(({ group }) => group === name)]);
}

const groupNames = (charts) => [...new Set(charts.map(({ group }) => group))];

function groupOfCharts(title, specs, data, view) {
  const charts = specs.map((spec) => makeChart(spec, data, view));
  view.charts.push(...charts);
  return make("section", { class: "curve-group", "aria-label": title || "Key curves" },
    title ? make("h3", {}, title) : null,
    make("div", { class: "grid" }, charts.map(({ node }) => node)));
}

/** The buttons above the charts: {node, update(data)}. */
function curveBar() {
  const chips = makeChips("Group of curves", (group) => go({ group }));
  const smooth = make("input", { type: "range", min: 0, max: 0.98, step: 0.02, id: "smooth",
    oninput: (event) => go({ smooth: event.target.value }) });
  const amount = make("output", { for: "smooth" });
  const log = make("button", { type: "button", class: "chip",
    onclick: () => go({ scale: at("scale") === "log" ? "linear" : "log" }) }, "Log scale");
  const all = make("button", { type: "button", class: "chip",
    onclick: () => go({ from: "", to: "" }) }, "All steps");
  const note = make("p", { class: "soft" });
  const node = make("div", { class: "bar" }, chips.node,
    make("label", { for: "smooth" }, "Smoothing"), smooth, amount, log, all, note);
  const update = (data) => {
    const names = groupNames(data.charts).map((name) => [name, name]);
    chips.update([["", "Key"], ...names, ["all", "All"]], at("group"));
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
    ? ` ${plural(steps.length, "step")} of ${count.toLocaleString("en")} are drawn.` : "";
  return `Drag over a chart to zoom, double-click to see all steps again; with the keyboard: `
    + `arrows, +, − and 0.${thinned}`;
}
