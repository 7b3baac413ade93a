// Which groups are listed, in what order, and which completions of them are meant.

const isRight = (completion) => completion.outcome === "correct";
const byTokens = (a, b) => b.tokens - a.tokens;
const byReward = (a, b) => (a.reward ?? Infinity) - (b.reward ?? Infinity);

/** make(group), made once per group: sorting and searching ask again and again. */
function once(make) {
  const known = new WeakMap();
  return (group) => {
    if (!known.has(group)) known.set(group, make(group));
    return known.get(group);
  };
}

const shareRight = once(({ completions }) =>
  completions.filter(isRight).length / completions.length);

const meanReward = once(({ completions }) => {
  const rewards = completions.map(({ reward }) => reward).filter((reward) => reward !== null);
  return rewards.reduce((sum, reward) => sum + reward, 0) / Math.max(1, rewards.length);
});

const longest = once(({ completions }) => Math.max(...completions.map(({ tokens }) => tokens)));

/** Lower-case texts. */
const searchable = once((group) => ({
  prompt: `${group.prompt}\n${group.id}\n${group.answer}`.toLowerCase(),
  texts: group.completions.map(({ text }) => text.toLowerCase()),
}));

/** From mostly right to mostly wrong, or back, since the prompt was sampled before. */
function flipped(group) {
  return group.before !== null && (group.before.right >= 0.5) !== (shareRight(group) >= 0.5);
}

/**
 * keep(completion, group): whether the filter means this completion. order(a, b): of groups,
 * each {group, matches}. inside(a, b): of the completions of a group.
 */
const FILTERS = {
  all: { label: "All", about: "every prompt, in the order of the step", keep: () => true },
  wrong: {
    label: "Most wrong",
    about: "prompts with the fewest right answers first",
    keep: (completion) => !isRight(completion),
    order: (a, b) => shareRight(a.group) - shareRight(b.group)
      || meanReward(a.group) - meanReward(b.group),
    inside: byReward,
  },
  longest: {
    label: "Longest",
    about: "prompts with the longest completions first",
    keep: () => true,
    order: (a, b) => longest(b.group) - longest(a.group),
    inside: byTokens,
  },
  truncated: {
    label: "Cut off",
    about: "completions that reached the limit of tokens",
    keep: ({ finish_reason: reason }) => reason === "length",
    order: (a, b) => b.matches.length - a.matches.length,
  },
  mixed: {
    label: "Languages mixed",
    about: "completions with words in Latin letters and in another script",
    keep: ({ mixed }) => mixed,
    order: (a, b) => b.matches.length - a.matches.length,
  },
  flips: {
    label: "Flips",
    about: "prompts that went from mostly right to mostly wrong, or back, since last sampled",
    keep: (completion, group) => flipped(group),
    order: (a, b) => Math.abs(shareRight(b.group) - b.group.before.right)
      - Math.abs(shareRight(a.group) - a.group.before.right),
  },
  noanswer: {
    label: "No verdict",
    about: "no answer found, timeouts and errors of the check",
    keep: ({ outcome }) => outcome !== "correct" && outcome !== "wrong",
    order: (a, b) => b.matches.length - a.matches.length,
  },
};

/** An address may name anything: what is no filter is "all". */
function filterOf(name) {
  return Object.hasOwn(FILTERS, name) ? FILTERS[name] : FILTERS.all;
}

/** [{group, matches}] for a filter and a search; matches are indices of completions. */
function select(groups, filterName, query) {
  const filter = filterOf(filterName);
  const words = query.trim().toLowerCase();
  const found = [];
  for (const group of groups) {
    const lower = words ? searchable(group) : null;
    const everywhere = !words || lower.prompt.includes(words);
    const matches = group.completions.flatMap((completion, i) =>
      filter.keep(completion, group) && (everywhere || lower.texts[i].includes(words)) ? [i] : []);
    if (matches.length) found.push({ group, matches });
  }
  if (filter.order) found.sort(filter.order);
  return found;
}

/** All indices of completions, those meant by the filter first. */
function arranged({ group, matches }, filterName) {
  const { inside } = filterOf(filterName);
  const meant = new Set(matches);
  const compare = (a, b) => (inside ? inside(group.completions[a], group.completions[b]) : 0)
    || a - b;
  const rest = group.completions.map((_, i) => i).filter((i) => !meant.has(i));
  return [...[...matches].sort(compare), ...rest];
}
