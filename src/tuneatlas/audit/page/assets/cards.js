// Data cards: schema, counts, distributions, samples, and what was set aside.
"use strict";

atlas.views.data = async function (asked) {
  const { h, link, count } = atlas;
  const cards = await atlas.load("cards");
  const chosen = asked.get("card");
  const name = (card) => `${card.step}/${card.table}`;
  const card = cards.find((c) => name(c) === chosen);
  if (card) return cardView(card);
  return [
    h("h1", {}, "Data"),
    h("p", {}, "Every table of the run by the step that wrote it. Open one for its columns, their distributions, sample rows and what was set aside."),
    atlas.table("Tables", ["Step", "Table", { num: "Files" }, { num: "Rows" }, { num: "Set aside" }], cards.map((c) => [
      h("a.entry", { href: link({ view: "data", card: name(c) }) }, c.step), c.table, { num: count(c.outputs.length) }, { num: count(c.rows) },
      { num: c.aside.length ? count(c.aside.reduce((sum, [n]) => sum + n, 0)) : "–" }])),
  ];
};

function cardView(card) {
  const { h, link, count } = atlas;
  return [
    h("p", {}, h("a", { href: "#view=data" }, "Data")),
    h("h1", {}, `${card.table} of ${card.step}`),
    atlas.facts([["Rows", count(card.rows)], ["Files", count(card.outputs.length)], ["A row is known by", card.key.join(", ")],
      ["Made by", h("a", { href: link({ step: card.step }) }, card.step)]]),
    h("h2", {}, "Set aside"),
    card.aside.length ? h("ul", {}, card.aside.map(([n, why]) => h("li", {}, `${count(n)} ${why}`))) : h("p", {}, "Nothing is known to have been left out."),
    h("h2", {}, "Columns"),
    atlas.table("Columns with their meaning and distribution", ["Column", "Type", "Meaning", "Distribution"],
      card.columns.map((c) => [h("code", {}, c.name), c.type + (c.unit ? `, ${c.unit}` : ""), c.description, spread(c, card.rows)])),
    h("h2", {}, "Samples"),
    card.samples.map((row, n) => h("details", { open: n === 0 }, h("summary", {}, `Row ${n + 1}`),
      h("dl.pairs", {}, Object.entries(row).map(([k, v]) => h("div", {}, h("dt", {}, k), h("dd", {}, h("pre", {}, v))))))),
    h("h2", {}, "Files"),
    h("ul", {}, card.outputs.map((o) => h("li", {}, h("a", { href: `../../${o}` }, h("code", {}, o))))),
  ];
}

function spread(column, rows) {
  const { h, svg, count } = atlas;
  const nulls = column.nulls ? h("small", {}, `${count(column.nulls)} empty`) : null;
  if (column.bins) {
    const most = Math.max(...column.bins, 1);
    const short = (x) => Number(x.toPrecision(4)).toLocaleString("en");
    const text = `${short(column.low)} to ${short(column.high)}, mean ${short(column.mean)}`;
    return h("div", {}, svg("svg", { viewBox: "0 0 120 30", width: 120, height: 30, role: "img", "aria-label": `Histogram: ${text}` },
      column.bins.map((n, i) => svg("rect", { x: i * 10, y: 30 - (28 * n) / most, width: 9, height: (28 * n) / most, class: "bin" }))),
      h("small", {}, text), nulls);
  }
  if (column.counts) {
    const total = Math.max(rows, 1);
    return h("div.shares", {}, column.counts.slice(0, 6).map(([value, n]) => h("div", {},
      h("span.fill", { style: `--at:${(100 * n) / total}%` }), h("span", {}, `${value === "" ? "(empty)" : value} `, h("small", {}, count(n))))), nulls);
  }
  return h("small", {}, "many different values", nulls);
}
