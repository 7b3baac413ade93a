// What one sees first: what was trained, before and after, the main curve, an example.

function makeHead(header, data) {
  const status = make("p", { class: "status", role: "status" });
  const theme = make("button", { type: "button", class: "chip", onclick: () => {
    const dark = at("theme") === "dark"
      || (at("theme") === "" && matchMedia("(prefers-color-scheme: dark)").matches);
    go({ theme: dark ? "light" : "dark" });
  } }, "Light / dark");
  const facts = make("dl", { class: "facts" });
  fill(header, make("div", { class: "title" },
    make("h1", {}, data.name), status, theme), facts);
  return () => {
    fill(facts, data.facts.map(([label, value]) =>
      make("div", {}, make("dt", {}, label), make("dd", {}, value))));
  };
}

/** Fill #alarms: what is wrong now as such, what was wrong for some steps in a fold. */
function showAlarms(section, alarms, stalled) {
  const shown = JSON.stringify([alarms, stalled]);
  if (section.dataset.shown === shown) return;
  section.dataset.shown = shown;
  const now = alarms.filter(({ now }) => now);
  const past = alarms.filter(({ now }) => !now);
  const steps = (each) => (each.first_step === each.last_step
    ? `step ${each.first_step}` : `steps ${each.first_step} to ${each.last_step}`);
  const line = (when, name, text) => make("p", {}, make("b", {}, name.replaceAll("_", " ")),
    ` (${when}): `, text);
  fill(section,
    stalled || now.length ? make("div", { class: "card alarms" },
      stalled ? line("now", "stalled", stalled) : null,
      now.map((each) => line(`since step ${each.first_step}`, each.alarm.name, each.alarm.text)))
      : null,
    past.length ? make("details", { class: "card" },
      make("summary", {}, `${plural(past.length, "alarm")} earlier in the run`),
      past.map((each) => line(steps(each), each.alarm.name, each.alarm.text))) : null);
}

/** Fill #overview; returns a function that draws it again. */
function makeOverview(section, data, view) {
  return () => {
    const hero = data.charts.find(({ title }) => title === "Accuracy") ?? data.charts[0];
    view.charts = view.charts.filter((chart) => !chart.kept);
    fill(section);
    if (data.evaluations.length) section.append(tiles(data.evaluations));
    const two = make("div", { class: "two" });
    if (hero && data.steps.length) {
      const chart = makeChart(hero, data, view, 260);
      chart.kept = true;
      view.charts.push(chart);
      two.append(chart.node);
    }
    if (data.examples.length) two.append(makeExample(data));
    section.append(two);
    if (data.evaluations.length) {
      section.append(outcomeTable(data.evaluations), lengthBars(data.evaluations));
    }
  };
}

const MEASURES = [
  ["pass@1", (e) => percent(e.pass_at_1, 1), (e) => `± ${percent(e.pass_at_1_margin, 1)}`],
  ["right format", (e) => percent(e.format_rate, 1)],
  ["mean length", (e) => `${e.mean_length.toFixed(1)}`, () => "tokens"],
  ["cut off", (e) => percent(e.truncated, 1)],
];

function tiles(evaluations) {
  const [before, after] = [evaluations[0], evaluations[evaluations.length - 1]];
  return make("div", { class: "tiles" }, MEASURES.map(([name, text, remark]) =>
    make("div", { class: "tile" }, make("h3", {}, name),
      make("p", {},
        before === after ? null : make("span", { class: "before" }, text(before)),
        before === after ? null : make("span", { class: "arrow", "aria-label": "to" }, " → "),
        make("span", { class: "after" }, text(after)),
        remark ? make("span", { class: "remark" }, ` ${remark(after)}`) : null))));
}

function outcomeTable(evaluations) {
  const kinds = Object.keys(evaluations[evaluations.length - 1].pass_at_1_by_kind);
  const columns = [
    ["step", (e) => String(e.step)],
    ["updates", (e) => String(e.version)],
    ...MEASURES.map(([name, text, remark]) =>
      [name, (e) => (remark ? `${text(e)} ${remark(e)}` : text(e))]),
    ...(kinds.length > 1 ? kinds : []).map((kind) =>
      [kind, (e) => (kind in e.pass_at_1_by_kind ? percent(e.pass_at_1_by_kind[kind], 1) : "–")]),
  ];
  const last = evaluations[evaluations.length - 1];
  const caption = `${plural(last.problems, "held-out problem")}, `
    + `${plural(last.samples_per_problem, "sample")} each`
    + (kinds.length > 1 ? "; pass@1 of each kind of problem at the right" : "");
  return make("div", { class: "card scroll", tabindex: 0, role: "region", "aria-label": caption },
    make("table", {}, make("caption", {}, caption),
      make("thead", {}, make("tr", {}, columns.map(([name]) =>
        make("th", { scope: "col" }, name)))),
      make("tbody", {}, evaluations.map((entry) =>
        make("tr", {}, columns.map(([, text], i) =>
          make(i ? "td" : "th", i ? {} : { scope: "row" }, text(entry))))))));
}

/** Accuracy in each fourth of the completions by length, first and last evaluation. */
function lengthBars(evaluations) {
  const both = evaluations.length > 1
    ? [evaluations[0], evaluations[evaluations.length - 1]] : evaluations;
  return make("details", { class: "card" },
    make("summary", {}, "Accuracy by response length"),
    make("p", { class: "soft" }, "Held-out completions in four equal parts by length. Where "
      + "writing more is right more often, the policy learns to write more."),
    make("div", { class: "grid" }, both.map((entry) =>
      make("div", {}, make("h4", {}, `after ${plural(entry.version, "update")}`),
        entry.length_bins.map(([low, high, count, accuracy]) =>
          meter(`${low}–${high} tokens`, accuracy, 1, `${percent(accuracy)} of ${count}`))))));
}

function makeExample(data) {
  let index = 0;
  const body = make("div", {});
  const button = (onclick, text) =>
    make("button", { type: "button", class: "chip", onclick }, text);
  const another = button(() => {
    index = (index + 1) % data.examples.length;
    draw();
  });
  const open = (evaluation) => {
    go({ step: `eval-${evaluation.step}`, prompt: data.examples[index].id, filter: "all", q: "" });
    document.getElementById("browser").scrollIntoView();
  };
  const draw = () => {
    const { prompt, answer, before, after } = data.examples[index];
    another.textContent = `Another (${index + 1} of ${data.examples.length})`;
    fill(body,
      make("pre", { class: "prompt" }, prompt),
      make("p", {}, "gold answer ", make("b", { class: "gold" }, answer)),
      exampleSide("before", before), exampleSide("after", after));
  };
  draw();
  return make("section", { class: "card example", "aria-label": "Example" },
    make("h3", {}, "The same problem, before and after"), body,
    make("p", { class: "links" }, another,
      button(() => open(data.evaluations[0]), "All samples before"),
      button(() => open(data.evaluations.at(-1)), "All samples after")),
    make("p", { class: "soft" }, "First sample of each; the problems that improved most "
      + "come first."));
}

function exampleSide(when, sample) {
  return make("div", { class: `side ${sample.outcome === "correct" ? "right" : "wrong"}` },
    make("p", { class: "side-head" }, make("b", {}, when), " ", verdict(sample.outcome),
      ` · ${plural(sample.tokens, "token")} · right in ${sample.right} of ${sample.samples}`),
    make("pre", {}, taggedText(sample.text, "")));
}
