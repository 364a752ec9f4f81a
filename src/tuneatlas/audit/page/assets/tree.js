// Constituency trees: from brackets to a drawing, with the brackets beside it.
"use strict";

atlas.parseTree = function (text) {
  const tokens = text.match(/\(|\)|[^\s()]+/g) || [];
  let at = 0;
  const read = () => {
    if (tokens[at] !== "(") return { label: tokens[at++], children: [] };
    at += 1;
    const node = { label: tokens[at] === "(" ? "" : tokens[at++], children: [] };
    while (at < tokens.length && tokens[at] !== ")") node.children.push(read());
    at += 1;
    return node;
  };
  return read();
};

atlas.drawTree = function (text, title) {
  const { h, svg } = atlas;
  if (!text) return h("p", {}, `${title}: no tree`);
  const root = atlas.parseTree(text);
  const ROW = 40, GAP = 12, CHAR = 9;
  let right = GAP, depth = 0;
  // A word is given the room of the labels that stand straight above it.
  const place = (node, level, least) => {
    depth = Math.max(depth, level);
    node.y = 18 + level * ROW;
    const width = Math.max(node.label.length * CHAR, 20, least);
    if (!node.children.length) {
      node.x = right + width / 2;
      right += width + GAP;
      return;
    }
    for (const child of node.children) place(child, level + 1, node.children.length === 1 ? width : 0);
    const first = node.children[0], last = node.children[node.children.length - 1];
    node.x = (first.x + last.x) / 2;
  };
  place(root, 0, 0);
  const parts = [];
  const draw = (node) => {
    for (const child of node.children) {
      parts.push(svg("line", { x1: node.x, y1: node.y + 6, x2: child.x, y2: child.y - 13, class: "edge" }));
      draw(child);
    }
    parts.push(svg("text", { x: node.x, y: node.y, class: node.children.length ? "label" : "word" }, node.label));
  };
  draw(root);
  return h("figure.tree", {},
    h("div.plot", { tabindex: "0", role: "img", "aria-label": `${title}: ${text}` },
      svg("svg", { viewBox: `0 0 ${right} ${depth * ROW + 30}`, width: right, height: depth * ROW + 30, "aria-hidden": "true" }, parts)),
    h("figcaption", {}, title, h("details", {}, h("summary", {}, "in brackets"), h("pre", {}, text))));
};
