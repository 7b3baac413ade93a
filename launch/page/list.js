// A list that only has the rows one sees: ten thousand prompts scroll like ten.

const ROW_HEIGHT = 58; // px, as .row in style.css
const SPARE_ROWS = 6;
const MOST_CELLS = 32;

/** onPick(index) when a row is chosen. Returns {node, show(entries, words), pick(index)}. */
function makeList(onPick) {
  const space = make("div", { class: "space", role: "presentation" });
  const node = make("div", { class: "list", role: "listbox", tabindex: 0,
    "aria-label": "Prompts" }, space);
  const list = { node, space, entries: [], words: "", picked: -1, onPick };
  let waiting = false;
  node.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      drawRows(list);
    });
  });
  node.addEventListener("keydown", (event) => listKey(list, event));
  return { node, show: (entries, words) => showEntries(list, entries, words),
    pick: (index) => pickRow(list, index), move: (by) => onPick(bounded(list, list.picked + by)) };
}

function showEntries(list, entries, words) {
  Object.assign(list, { entries, words, picked: -1 });
  list.space.style.height = `${entries.length * ROW_HEIGHT}px`;
  list.node.scrollTop = 0;
  drawRows(list);
}

function drawRows(list) {
  const { node, space, entries } = list;
  const first = Math.max(0, Math.floor(node.scrollTop / ROW_HEIGHT) - SPARE_ROWS);
  const fit = Math.ceil((node.clientHeight || 600) / ROW_HEIGHT) + 2 * SPARE_ROWS;
  const last = Math.min(entries.length, first + fit);
  const rows = [];
  for (let i = first; i < last; i += 1) rows.push(makeRow(list, i));
  fill(space, rows);
}

function makeRow(list, i) {
  const { group, matches } = list.entries[i];
  const picked = i === list.picked;
  const lengths = group.completions.map(({ tokens }) => tokens);
  const right = group.completions.filter(isRight).length;
  const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  const some = matches.length < lengths.length ? `${matches.length} match · ` : "";
  const row = make("div", { class: "row", role: "option", id: `row-${i}`,
    "aria-selected": String(picked), "aria-setsize": list.entries.length, "aria-posinset": i + 1,
    onclick: () => list.onPick(i) },
  make("div", { class: "row-text" }, highlighted(snippet(group.prompt), list.words)),
  make("div", { class: "row-facts" }, cells(group),
    make("span", {}, `${some}${right}/${lengths.length} right · ${number(mean)} tokens`)));
  row.style.top = `${i * ROW_HEIGHT}px`;
  return row;
}

/** What the squares mean, with the words that the cards use. */
function cellKey() {
  const key = (style, words) =>
    make("span", {}, make("i", { class: `cell ${style}`, "aria-hidden": "true" }), ` ${words}`);
  return make("p", { class: "cell-key" }, key("right", "correct"), key("wrong", "wrong"),
    key("none", "no verdict"), key("wrong cut", "cut off"));
}

/** One small square per completion; its form says the outcome as well as its colour. */
function cells(group) {
  const shownCells = group.completions.slice(0, MOST_CELLS).map(({ outcome, finish_reason: end }) =>
    make("i", { class: `cell ${outcomeOf(outcome)[2]} ${end === "length" ? "cut" : ""}` }));
  return make("span", { class: "cells", "aria-hidden": "true" }, shownCells);
}

function bounded(list, index) {
  return Math.min(list.entries.length - 1, Math.max(0, index));
}

/** Mark a row as chosen and bring it into sight. */
function pickRow(list, index) {
  const { node } = list;
  list.picked = index;
  const top = index * ROW_HEIGHT;
  const height = node.clientHeight || 600;
  if (top < node.scrollTop) node.scrollTop = top;
  else if (top + ROW_HEIGHT > node.scrollTop + height) node.scrollTop = top + ROW_HEIGHT - height;
  drawRows(list);
  if (index >= 0) node.setAttribute("aria-activedescendant", `row-${index}`);
  else node.removeAttribute("aria-activedescendant");
}

function listKey(list, event) {
  const page = Math.max(1, Math.floor(list.node.clientHeight / ROW_HEIGHT) - 1);
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page,
    Home: -Infinity, End: Infinity };
  if (!(event.key in moves) || !list.entries.length) return;
  event.preventDefault();
  list.onPick(bounded(list, list.picked + moves[event.key]));
}
