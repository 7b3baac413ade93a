// The browser of rollouts: pick a moment, filter, search, and read a group side by side.

function snapshotName(id) {
  return id.startsWith("eval-") ? `evaluation after step ${id.slice(5)}` : `step ${id}`;
}

const KEYS = "↑ ↓ or j k prompts · ← → completions · [ ] steps · / search · t thinking";

/**
 * Fill #browser. source: {load(id) -> promise of groups, whole(id, group) or null}.
 * Returns {update()}: to be called when data.snapshots has changed.
 */
function makeBrowser(section, data, source) {
  const parts = browserParts();
  const state = { groups: [], entries: [], snapshot: null, parts, data, source, entry: null };
  // Who opens a prompt stays with it, whatever steps arrive.
  state.list = makeList((index) =>
    go({ prompt: state.entries[index].group.id, step: state.snapshot.id }));
  const panes = make("div", { class: "panes" },
    make("div", { class: "left" }, parts.count, state.list.node, cellKey()),
    make("div", { class: "right-pane" }, parts.think, parts.panel));
  fill(section, make("h2", { id: "browser-title" }, "Rollouts"), parts.note,
    make("div", { class: "bar" }, stepPicker(state), parts.search),
    parts.filters.node, panes, make("p", { class: "soft keys" }, KEYS));
  section.addEventListener("keydown", (event) => browserKey(state, event));
  onChange((changed) => {
    if (changed.has("step") && wantedSnapshot(state)?.id !== state.snapshot?.id) {
      openSnapshot(state);
    }
    else if (changed.has("filter") || changed.has("q")) showSelection(state);
    else if (changed.has("prompt") || changed.has("think")) showPicked(state);
  });
  return { update: () => {
    fill(parts.note, data.note ?? "");
    const { id, stamp } = state.snapshot ?? {};
    const wanted = wantedSnapshot(state);
    addSteps(state);
    return wanted && wanted.id === id && wanted.stamp === stamp ? null : openSnapshot(state);
  } };
}

function browserParts() {
  const search = make("input", { type: "search", id: "search", placeholder: "Search",
    oninput: (event) => go({ q: event.target.value, prompt: "" }) });
  return {
    note: make("p", { class: "soft" }),
    select: make("select", { id: "step", onchange: (event) =>
      go({ step: event.target.value, prompt: "" }) }),
    think: make("button", { type: "button", class: "chip", onclick: toggleThinking },
      "Show thinking"),
    search: make("div", { class: "search" }, make("label", { for: "search" }, "Search"), search),
    input: search,
    filters: makeChips("Filter", (filter) => go({ filter, prompt: "" })),
    count: make("p", { class: "count", role: "status" }),
    panel: make("div", { class: "panel", role: "region", "aria-label": "Group" }),
  };
}

/** The snapshot that the address names; the newest step when it names none. */
function wantedSnapshot({ data }) {
  const steps = data.snapshots.filter(({ id }) => !id.startsWith("eval"));
  const newest = (steps.length ? steps : data.snapshots).at(-1);
  return data.snapshots.find(({ id }) => id === at("step")) ?? newest ?? null;
}

function stepPicker(state) {
  const button = (text, label, by) => make("button", { type: "button", class: "chip",
    "aria-label": label, onclick: () => stepBy(state, by) }, text);
  return make("div", { class: "steps" }, make("label", { for: "step" }, "Sampled in"),
    button("‹", "Earlier", -1), state.parts.select, button("›", "Later", 1));
}

/** Options for new snapshots; the ones already there stay, for who is just choosing. */
function addSteps({ data, parts: { select } }) {
  const ids = ["", ...data.snapshots.map(({ id }) => id)];
  const known = [...select.options].map(({ value }) => value);
  if (known.some((value, i) => value !== ids[i])) fill(select);
  for (const id of ids.slice(select.options.length)) {
    const sampled = data.snapshots.find((entry) => entry.id === id)?.sampled;
    const text = id === "" ? "newest step" : snapshotName(id) + (sampled ? " (some prompts)" : "");
    select.append(make("option", { value: id }, text));
  }
  select.value = at("step");
}

function stepBy({ data, snapshot }, by) {
  const index = data.snapshots.findIndex(({ id }) => id === snapshot?.id) + by;
  if (data.snapshots[index]) go({ step: data.snapshots[index].id });
}

async function openSnapshot(state) {
  const wanted = wantedSnapshot(state);
  state.snapshot = wanted;
  addSteps(state);
  if (!wanted) {
    fill(state.parts.panel, make("p", { class: "soft" }, "No rollouts yet."));
    return;
  }
  state.parts.count.textContent = `Loading ${snapshotName(wanted.id)} …`;
  let groups;
  try {
    groups = await state.source.load(wanted);
  } catch (error) {
    state.parts.count.textContent = `${snapshotName(wanted.id)} could not be loaded: `
      + `${error.message}`;
    return;
  }
  // Another step may have been asked for while this one was on its way.
  if (state.snapshot !== wanted) return;
  state.groups = groups;
  showSelection(state);
}

function showSelection(state) {
  const { parts, list, groups } = state;
  const start = performance.now();
  const filter = Object.hasOwn(FILTERS, at("filter")) ? at("filter") : "all";
  state.entries = select(groups, filter, at("q"));
  if (parts.input.value !== at("q")) parts.input.value = at("q");
  parts.filters.update(Object.entries(FILTERS).map(([name, { label, about }]) =>
    [name, label, about]), filter);
  const matching = state.entries.reduce((sum, { matches }) => sum + matches.length, 0);
  const all = groups.reduce((sum, { completions }) => sum + completions.length, 0);
  parts.count.textContent = `${plural(state.entries.length, "prompt")}, `
    + `${matching.toLocaleString("en")} of ${plural(all, "completion")}: ${FILTERS[filter].about}`;
  list.show(state.entries, at("q").trim().toLowerCase());
  showPicked(state);
  const { dataset } = document.documentElement;
  dataset.prompts = state.entries.length;
  dataset.completions = matching;
  dataset.milliseconds = (performance.now() - start).toFixed(1);
}

/** Open the prompt that the address names; the first of the list when it is not in it. */
function showPicked(state) {
  const { entries, list, parts, source, snapshot } = state;
  const named = entries.findIndex(({ group }) => group.id === at("prompt"));
  const index = named === -1 && entries.length ? 0 : named;
  list.pick(index);
  state.entry = entries[index] ?? null;
  if (!state.entry) {
    fill(parts.panel, make("p", { class: "soft" }, "Nothing here fits the filter and the search."));
    return;
  }
  const whole = source.whole && (async (group) => {
    const loaded = await source.whole(snapshot, state.groups.indexOf(group));
    // A new object, because what is known about a group is known by its identity.
    state.groups = state.groups.map((other) => (other === group ? loaded : other));
    showSelection(state);
  });
  const open = at("think") === "open" || at("q") !== "" ? "open" : "folded";
  parts.think.setAttribute("aria-pressed", String(at("think") === "open"));
  fill(parts.panel, makeGroup(state.entry, { filter: at("filter"), whole,
    words: at("q").trim().toLowerCase(), think: open,
    goBefore: (step, prompt) => go({ step, prompt, filter: "all", q: "" }) }));
}

function toggleThinking() {
  go({ think: at("think") === "open" ? "folded" : "open" });
}

/** Single keys work only while the focus is in the browser, and never while one writes. */
function browserKey(state, event) {
  const writing = event.target.matches("input, select");
  if (writing && event.key === "Escape") state.list.node.focus();
  if (writing || event.ctrlKey || event.metaKey || event.altKey) return;
  const actions = {
    j: () => state.entries.length && state.list.move(1),
    k: () => state.entries.length && state.list.move(-1),
    "[": () => stepBy(state, -1),
    "]": () => stepBy(state, 1),
    "/": () => state.parts.input.focus(),
    t: toggleThinking,
    ArrowRight: () => focusCard(state, 1),
    ArrowLeft: () => focusCard(state, -1),
  };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
}

function focusCard({ parts }, by) {
  const cards = [...parts.panel.querySelectorAll(".completion")];
  const index = cards.indexOf(document.activeElement.closest(".completion"));
  cards[Math.min(cards.length - 1, Math.max(0, index + by))]?.focus();
}
