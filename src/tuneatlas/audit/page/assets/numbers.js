// The numbers of the report: each recomputed here from the items behind it, which are listed.
"use strict";

const PART = 200;

let numberIndex = null;
async function readNumbers() {
  if (!numberIndex) {
    const data = await atlas.load("numbers");
    numberIndex = { ...data, by: new Map(data.numbers.map((row) => [row[0], row])) };
  }
  return numberIndex;
}

// What the table of an address is called.
const titleOf = (data, address) => data.titles[address.split("/")[0]];

const shownNumber = (x) => (x === null ? "–" : Number.isInteger(x) ? atlas.count(x) : x.toFixed(4));

atlas.views.numbers = async function (asked) {
  const { h, link, count } = atlas;
  const data = await readNumbers();
  const address = asked.get("of") || "";
  if (data.by.has(address)) return numberView(data, address);
  const found = data.numbers.filter(([name]) => name === address || name.startsWith(address && `${address}/`) || !address);
  if (address && !found.length) {
    const part = address.split("/").slice(0, 2).join("/");
    return [h("h1", {}, "No such number"), h("p.note", { role: "alert" }, "The report has no number ", h("code", {}, address), ". "), h("p", {}, h("a", { href: link({ of: part }) }, part))];
  }
  if (!address) {
    return [h("h1", {}, "Numbers"), h("p", {}, "Every number of the report with the items it is made of. A number is recomputed here, in your browser, from the rows of its items."),
      data.numbers.length ? atlas.table("Tables of the report", ["Table", "Model", { num: "Numbers" }], tables(data).map(([name, n]) => [
        h("a.entry", { href: link({ of: name }) }, titleOf(data, name)), name.split("/")[1], { num: count(n) }]))
        : h("p", {}, "This run has no numbers that are made of items.")];
  }
  const head = [h("p", {}, h("a", { href: "#view=numbers" }, "Numbers")), h("h1", {}, titleOf(data, address))];
  if (found.length > PART) {
    const depth = address.split("/").length + 1;
    const next = new Map();
    for (const [name] of found) {
      const key = name.split("/").slice(0, depth).join("/");
      next.set(key, (next.get(key) || 0) + 1);
    }
    return [...head, atlas.table("Numbers by what they are about", ["About", { num: "Numbers" }], [...next].map(([name, n]) => [
      h("a.entry", { href: link({ of: name }) }, name), { num: count(n) }]))];
  }
  return [...head, atlas.table("Numbers", ["Number", { num: "Value" }], found.map(([name, value]) => [
    h("a.entry", { href: link({ of: name }) }, name), { num: shownNumber(value) }]))];
};

function tables(data) {
  const found = new Map();
  for (const [name] of data.numbers) {
    const key = name.split("/").slice(0, 2).join("/");
    found.set(key, (found.get(key) || 0) + 1);
  }
  return [...found];
}

// Which items have the attributes; an attribute is a pair of columns for a block.
function chooser(all, where) {
  const values = atlas.overview.attributes;
  const tests = Object.entries(where).map(([name, wanted]) => {
    const allowed = new Set(wanted);
    if (name === "block") {
      const table = values.domain.map((domain) => values.role.map((role) => allowed.has(`${domain}/${role}`)));
      return (n) => table[all.domain[n]][all.role[n]];
    }
    const table = values[name].map((value) => allowed.has(value));
    return (n) => table[all[name][n]];
  });
  return (n) => tests.every((test) => test(n));
}

// A term again, and what each item gives to it.
async function evaluate(data, all, [weight, outputs, column, where, over], found) {
  const chosen = chooser(all, data.where[where]);
  let total = 0, size = 0;
  for (const output of outputs) {
    const file = await atlas.load(`columns-${output}`);
    if (!file.columns[column]) continue;
    const [list, values] = file.columns[column];
    const divisors = over && over !== "sum" ? file.columns[over][1] : null;
    file.items[list].forEach((item, n) => {
      if (!chosen(item)) return;
      total += values[n];
      size += divisors ? divisors[n] : 1;
      const own = found.get(item) || { plus: [], minus: [] };
      own[weight < 0 ? "minus" : "plus"].push(divisors ? values[n] / divisors[n] : values[n]);
      found.set(item, own);
    });
  }
  return weight * (over === "sum" ? total : size ? total / size : NaN);
}

async function numberView(data, address) {
  const { h, link, count, itemLink } = atlas;
  const [, value, terms, points] = data.by.get(address);
  const head = [h("p", {}, h("a", { href: "#view=numbers" }, "Numbers"), " · ", h("a", { href: link({ of: address.split("/").slice(0, 2).join("/") }) }, `${titleOf(data, address)}, ${address.split("/")[1]}`)),
    h("h1", {}, address.split("/").slice(2).join(" · "))];
  if (points.length) {
    return [...head, atlas.facts([["In the report", shownNumber(value)], ["Made of", `${count(points.length)} points`]]),
      h("p", {}, "A partial rank correlation of consistency and accuracy, the base model’s accuracy held fixed, over these points; each is made of items."),
      atlas.table("Points", ["Consistency", "Accuracy", "Base model"], points.map((point) => point.map((name) => h("a", { href: link({ of: name }) }, `${name.split("/").slice(2, -1).join(" · ")}: ${shownNumber(data.by.get(name)[1])}`))))];
  }
  const all = await atlas.catalogue();
  const found = new Map();
  let again = 0;
  for (const term of terms) again += await evaluate(data, all, term, found);
  const same = Math.abs(again - value) < 2e-6;
  const paired = terms.some((t) => t[0] < 0) && terms.some((t) => t[0] > 0);
  const mean = (xs) => (xs.length ? xs.reduce((s, x) => s + x, 0) / xs.length : null);
  // Those that make the number what it is come first.
  for (const own of found.values()) own.weight = Math.abs((mean(own.plus) || 0) - (mean(own.minus) || 0));
  const list = [...found].sort((a, b) => b[1].weight - a[1].weight || a[0] - b[0]);
  const text = (xs) => (xs.length ? shownNumber(mean(xs)) : "–");
  const body = h("tbody", {});
  let shown = 0;
  const more = h("button", { type: "button" });
  const extend = () => {
    for (const [item, own] of list.slice(shown, shown + PART)) {
      body.append(h("tr", {}, h("th", { scope: "row" }, h("a.entry", { href: itemLink(all.ids[item]) }, all.ids[item])), h("td", {}, all.texts[item]),
        h("td.num", {}, text(own.plus)), paired ? h("td.num", {}, text(own.minus)) : null));
    }
    shown += PART;
    more.hidden = shown >= list.length;
    more.textContent = `Show more (${count(Math.max(list.length - shown, 0))} left)`;
  };
  more.addEventListener("click", extend);
  extend();
  const outputs = [...new Set(terms.flatMap((t) => t[1]))].map((n) => data.outputs[n]);
  return [...head,
    atlas.facts([["In the report", shownNumber(value)], ["Again, from the items", h("span", { id: "again" }, `${shownNumber(again)} ${same ? "✓ the same" : "✗ differs"}`)], ["Items", count(list.length)], ["Tables read", count(outputs.length)]]),
    h("details", {}, h("summary", {}, "Tables"), h("ul", {}, outputs.map((o) => h("li", {}, h("a", { href: link({ step: o.split("/")[1], output: o }) }, o))))),
    h("div.scroll", { role: "region", tabindex: "0", "aria-label": "Items" }, h("table.wide", {},
      h("caption", {}, "Items, with the mean of their values", paired ? "; the number is the first column less the second" : ""),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Item"), h("th", { scope: "col" }, "Text"), h("th.num", { scope: "col" }, "Value"), paired ? h("th.num", { scope: "col" }, "less") : null)), body)),
    more,
    h("p.more", {}, "The same in a terminal: ", h("code", {}, `tuneatlas trace --of ${address}`))];
}
