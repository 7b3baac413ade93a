// Making elements and writing numbers. Text only ever goes into text nodes.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element: attributes as an object ("on..." are listeners), then children and texts. */
function make(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function makeSvg(tag, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

function dress(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value);
    }
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** Replace what an element holds. */
function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter((child) => child !== null));
  return node;
}

/** Buttons of which one is pressed. update([[value, label, title]], pressed) keeps the focus. */
function makeChips(label, onPick) {
  const node = make("div", { class: "chips", role: "group", "aria-label": label });
  let values = "";
  const update = (choices, pressed) => {
    if (values !== String(choices)) {
      values = String(choices);
      fill(node, choices.map(([value, text, title]) => make("button", { type: "button",
        class: "chip", title, onclick: () => onPick(value) }, text)));
    }
    choices.forEach(([value], i) =>
      node.children[i].setAttribute("aria-pressed", String(value === pressed)));
  };
  return { node, update };
}

function percent(share, digits = 0) {
  return `${(100 * share).toFixed(digits)} %`;
}

/** A number for reading: 0.0123, 1.23e-7, 12,345. */
function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) {
    return Number(value.toPrecision(3)).toExponential();
  }
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}

function signed(value) {
  return value > 0 ? `+${value.toFixed(2)}` : value.toFixed(2).replace("-", "−");
}

function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

const ONE_LINE = /\s+/g;

/** The beginning of a text on one line. */
function snippet(text, length = 160) {
  return text.slice(0, 2 * length).replace(ONE_LINE, " ").slice(0, length);
}

/** The text as nodes, with every occurrence of the words (lower case) marked. */
function highlighted(text, words) {
  if (!words) return [text];
  const nodes = [];
  const lower = text.toLowerCase();
  // Some characters change their length in lower case; then positions would be off.
  if (lower.length !== text.length) return [text];
  let from = 0;
  for (let at = lower.indexOf(words); at !== -1; at = lower.indexOf(words, from)) {
    nodes.push(text.slice(from, at), make("mark", {}, text.slice(at, at + words.length)));
    from = at + words.length;
  }
  nodes.push(text.slice(from));
  return nodes;
}
