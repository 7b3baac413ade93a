// What one sees is in the address: #step=3&filter=wrong&q=carry is a link to it.

const DEFAULTS = {
  step: "", // a step ("12") or an evaluation ("eval-50"); "": the newest
  filter: "all",
  q: "",
  prompt: "", // id of the opened prompt
  think: "folded", // or "open"
  smooth: "0", // 0 to 0.98: how much of the past is in a point
  scale: "linear", // or "log"
  from: "", // the zoomed range of steps
  to: "",
  group: "", // group of curves, or "all"; "": the few that matter most
  theme: "", // "light", "dark"; "": as the system has it
};

const listeners = [];
let shown = readAddress();

/** The state of the page, as strings. */
function at(name) {
  return shown[name];
}

/** Call listener(changed names) after every change, whether by the page or by the address bar. */
function onChange(listener) {
  listeners.push(listener);
}

/** Change the state, and the address with it. */
function go(changes) {
  apply({ ...shown, ...changes });
  const text = addressOf(shown);
  // replaceState: a search does not fill the history with its letters.
  history.replaceState(null, "", text || location.pathname + location.search);
}

function addressOf(state) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (value !== DEFAULTS[name]) words.set(name, value);
  }
  const text = words.toString();
  return text ? `#${text}` : "";
}

function readAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  const state = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS)) {
    if (words.has(name)) state[name] = words.get(name);
  }
  return state;
}

function apply(state) {
  const changed = new Set(Object.keys(DEFAULTS).filter((name) => state[name] !== shown[name]));
  shown = state;
  if (changed.size) for (const listener of listeners) listener(changed);
}

window.addEventListener("hashchange", () => {
  // A plain anchor ("#browser") is no state.
  if (location.hash.includes("=") || location.hash === "") apply(readAddress());
});
