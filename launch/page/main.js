// Start: from the data in the page, or, with `launch view`, from the server and again and again.

const POLL_MS = 2000;

const page = JSON.parse(document.getElementById("data").textContent);
const section = (id) => document.getElementById(id);

/** Rollouts that are in the page. */
function embedded(rollouts) {
  return { load: async ({ id }) => rollouts[id], whole: null };
}

/** Rollouts that the server has, one snapshot at a time; the newest answers are kept. */
function served() {
  const kept = new Map();
  const load = async ({ id, stamp }) => {
    const key = `${id} ${stamp}`;
    if (!kept.has(key)) {
      kept.set(key, await fetchJson(`api/rollouts/${id}`));
      if (kept.size > 4) kept.delete(kept.keys().next().value);
    }
    return kept.get(key);
  };
  return { load, whole: ({ id }, index) => fetchJson(`api/rollouts/${id}/${index}`) };
}

async function fetchJson(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

function setTheme() {
  if (at("theme")) document.documentElement.dataset.theme = at("theme");
  else delete document.documentElement.dataset.theme;
}

function makeAbout(node, data) {
  fill(node,
    make("details", { class: "card" }, make("summary", {}, "Settings"),
      make("pre", {}, data.settings)),
    make("details", { class: "card" }, make("summary", {}, "Versions"),
      make("pre", {}, data.versions)));
}

/** Everything on the page for a run; returns update(new data), which redraws what changed. */
function makePage(data, source) {
  const view = makeView();
  const drawHead = makeHead(section("head"), data);
  const drawOverview = makeOverview(section("overview"), data, view);
  const drawCurves = makeCurves(section("curves"), data, view);
  const browser = makeBrowser(section("browser"), data, source);
  makeAbout(section("about"), data);
  const draw = (changed) => {
    drawHead();
    if (changed.evaluations || changed.charts) drawOverview();
    if (changed.charts) drawCurves();
    else for (const chart of view.charts) chart.draw();
    if (changed.evaluations && !changed.charts) for (const chart of view.charts) chart.draw();
  };
  view.read();
  draw({ evaluations: true, charts: true });
  const ready = browser.update();
  const update = (news) => {
    const differs = (name) => JSON.stringify(news[name]) !== JSON.stringify(data[name]);
    const changed = { evaluations: differs("evaluations"), charts: differs("charts") };
    const rollouts = differs("snapshots");
    Object.assign(data, news);
    draw(changed);
    if (rollouts) browser.update();
  };
  return { ready, update };
}

function showStatus(text, style = "") {
  const node = document.querySelector(".status");
  if (node) fill(node, make("span", { class: `lamp ${style}`, "aria-hidden": "true" }), text);
}

function statusText({ phase, step, steps }) {
  return steps ? `${phase} · step ${step} of ${steps}` : phase;
}

/** Ask the server for what is new, for ever; while nothing is, it answers with the version. */
async function watch() {
  let run = null;
  let status = null;
  let alarms = [];
  let version = "";
  for (;;) {
    try {
      const news = await fetchJson(`api/run?unless=${version}`);
      if (news.run && run) run.update(news.run);
      else if (news.run) run = makePage(news.run, served());
      status = news.run?.status ?? status;
      version = news.version;
      alarms = news.run?.alarms ?? alarms;
      showStatus(statusText(status), news.stalled ? "lost" : phaseStyle(status.phase));
      showAlarms(section("alarms"), alarms, news.stalled);
      document.documentElement.dataset.ready = version;
    } catch (error) {
      showStatus(`no connection to launch view (${error.message})`, "lost");
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function phaseStyle(phase) {
  return phase === "finished" ? "done" : "busy";
}

async function start() {
  setTheme();
  onChange((changed) => changed.has("theme") && setTheme());
  if (page.live) {
    watch();
    return;
  }
  const { ready } = makePage({ ...page.run, note: page.note }, embedded(page.rollouts));
  showStatus(statusText(page.run.status), phaseStyle(page.run.status.phase));
  showAlarms(section("alarms"), page.run.alarms, null);
  await ready;
  document.documentElement.dataset.ready = "report";
}

start();
