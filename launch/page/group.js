// One prompt with its whole group, side by side.

const OUTCOMES = {
  correct: ["✓", "correct", "right"],
  wrong: ["✗", "wrong", "wrong"],
  no_answer: ["–", "no answer", "none"],
  timeout: ["⏱", "check timed out", "none"],
  unparseable_gold: ["?", "gold answer unreadable", "none"],
  checker_error: ["!", "error of the check", "none"],
};

function outcomeOf(name) {
  return Object.hasOwn(OUTCOMES, name) ? OUTCOMES[name] : ["·", name.replaceAll("_", " "), "none"];
}

function verdict(outcome) {
  const [sign, words, style] = outcomeOf(outcome);
  return make("span", { class: `verdict ${style}` },
    make("span", { "aria-hidden": "true" }, `${sign} `), words);
}

/** A labelled bar from 0, to the right or, for negative values, to the left of the middle. */
function meter(label, value, most, text, style = "") {
  const bar = make("span", { class: `fill ${style} ${value < 0 ? "minus" : ""}` });
  const share = most > 0 ? Math.min(1, Math.abs(value) / most) : 0;
  const track = make("span", { class: `track ${style === "advantage" ? "middle" : ""}` }, bar);
  const width = style === "advantage" ? share / 2 : share;
  bar.style.width = `${(100 * width).toFixed(1)}%`;
  if (style === "advantage") bar.style.left = `${value < 0 ? 50 - 100 * width : 50}%`;
  return make("div", { class: "meter" },
    make("span", { class: "meter-label" }, label), track,
    make("span", { class: "meter-value" }, text));
}

const TAG = /<\/?(?:think|answer)>/g;

/** The text with its tags set off, and the searched words marked. */
function taggedText(text, words) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(TAG)) {
    nodes.push(...highlighted(text.slice(from, match.index), words),
      make("span", { class: "tag" }, match[0]));
    from = match.index + match[0].length;
  }
  nodes.push(...highlighted(text.slice(from), words));
  return nodes;
}

/** [thinking, rest]: split after the last </think>; without one it never ended. */
function splitThinking(text, opened) {
  const end = text.lastIndexOf("</think>");
  if (end !== -1) return [text.slice(0, end + 8), text.slice(end + 8)];
  return opened || text.includes("<think>") ? [text, ""] : ["", text];
}

/** The panel of a group. entry: {group, matches}; options: {filter, words, think, previous}. */
function makeGroup(entry, options) {
  const { group, matches } = entry;
  const known = group.completions.map(({ advantage }) => Math.abs(advantage ?? 0));
  const scale = { advantage: Math.max(...known), parts: largestParts(group) };
  const meant = new Set(matches);
  const narrowed = options.filter !== "all" || options.words !== "";
  const cards = arranged(entry, options.filter).map((i) =>
    completionCard(group, i, scale, { ...options, meant: narrowed && meant.has(i), narrowed }));
  return [
    make("div", { class: "group-head" },
      make("pre", { class: "prompt" }, highlighted(group.prompt, options.words)),
      make("p", {}, "gold answer ", make("b", { class: "gold" }, group.answer),
        ` · ${group.id} · right in ${group.completions.filter(isRight).length} of `
        + `${group.completions.length}`),
      beforeLine(group, options.goBefore)),
    make("div", { class: "cards" }, cards),
  ];
}

function beforeLine(group, goBefore) {
  if (!group.before) return null;
  const { at: when, right } = group.before;
  return make("p", { class: "soft" }, `Sampled before, ${percent(right)} right: `,
    make("button", { type: "button", class: "link", onclick: () => goBefore(when, group.id) },
      snapshotName(when)), flipped(group) ? ". It flipped." : "");
}

function largestParts(group) {
  const largest = {};
  for (const { parts } of group.completions) {
    for (const [name, value] of Object.entries(parts)) {
      largest[name] = Math.max(largest[name] ?? 1, Math.abs(value));
    }
  }
  return largest;
}

function completionCard(group, i, scale, options) {
  const completion = group.completions[i];
  const [, , style] = outcomeOf(completion.outcome);
  const [thinking, rest] = splitThinking(completion.text, group.opened);
  const facts = [plural(completion.tokens, "token"), `policy ${completion.policy_version}`];
  if (completion.finish_reason === "length") facts.push("cut off");
  if (completion.mixed) facts.push("languages mixed");
  const state = options.narrowed && !options.meant ? "beside" : "";
  return make("article", { class: `card completion ${style} ${state}`, tabindex: -1,
    "aria-label": `Completion ${i + 1}, ${completion.outcome.replaceAll("_", " ")}` },
  make("header", {}, make("b", {}, `#${i + 1}`), " ", verdict(completion.outcome),
    make("span", { class: "soft" }, facts.join(" · "))),
  make("div", { class: "meters" }, meters(completion, scale)),
  thinking ? make("details", { class: "think", open: options.think === "open" },
    make("summary", {}, `Thinking, ${plural(thinking.length, "character")}`),
    make("pre", {}, taggedText(thinking, options.words))) : null,
  rest ? make("pre", {}, taggedText(rest, options.words)) : null,
  make("p", { class: "extracted" }, "answer ",
    make("b", { class: style }, completion.extracted ?? "none found"),
    " · gold ", make("b", { class: "gold" }, group.answer)),
  completion.cut && options.whole ? make("button", { type: "button", class: "chip",
    onclick: () => options.whole(group) }, "Load the whole text") : null);
}

function meters(completion, scale) {
  const parts = Object.entries(completion.parts).map(([name, value]) =>
    meter(name.replaceAll("_", " "), value, scale.parts[name], number(value)));
  const { reward, advantage } = completion;
  return [
    ...parts,
    make("div", { class: "meter" }, make("span", { class: "meter-label" }, "reward"),
      make("span", {}),
      make("b", { class: "meter-value" }, reward === null ? "none" : number(reward))),
    advantage === null ? null
      : meter("advantage", advantage, scale.advantage, signed(advantage), "advantage"),
  ].filter((row) => row !== null);
}
