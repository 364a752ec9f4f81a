// The list of items: search by id and text, filters, and the paths of the forgetting study.
"use strict";

atlas.fates = {
  kept: "right → right → right: kept",
  lost_in_restoration: "right → right → wrong: lost in restoration",
  pseudo_forgotten: "right → wrong → right: came back",
  actually_forgotten: "right → wrong → wrong: forgotten",
  gained: "wrong → right → right: gained",
  gained_in_restoration: "wrong → wrong → right: gained in restoration",
  gained_and_lost: "wrong → right → wrong: gained and lost",
  never_known: "wrong → wrong → wrong: never right",
};
const FATE_ORDER = Object.keys(atlas.fates);
const TITLES = {
  kind: "Kind", domain: "Domain", relation: "Relation", role: "Role", split: "Split",
  facts: "In the corpus", pair: "Pair is", length: "Source is", group: "Group", base: "Base model is",
};
const SHOWN = 50;

// Ids, texts and attributes of all items; searched as lower-case text.
let catalogue = null;
atlas.catalogue = function () {
  catalogue = catalogue || (async () => {
    const count = atlas.overview.indexShards;
    const shards = await Promise.all([...Array(count).keys()].map((n) => atlas.load(`index-${n}`)));
    const found = { ids: [], texts: [], haystack: [], number: new Map() };
    for (const name of Object.keys(TITLES)) found[name] = [];
    for (const shard of shards) {
      for (const name of ["ids", "texts", ...Object.keys(TITLES)]) {
        for (const value of shard[name]) found[name].push(value);
      }
    }
    found.ids.forEach((id, n) => {
      found.number.set(id, n);
      found.haystack.push(`${id} ${found.texts[n]}`.toLowerCase());
    });
    return found;
  })();
  return catalogue;
};

atlas.readFilter = function (text) {
  const found = {};
  for (const part of (text || "").split(",").filter(Boolean)) {
    const at = part.indexOf(":");
    if (at > 0) found[part.slice(0, at)] = part.slice(at + 1);
  }
  return found;
};
const writeFilter = (filter) => Object.entries(filter).filter(([, v]) => v).map(([k, v]) => `${k}:${v}`).join(",");

// A checkpoint tuned elsewhere has a name of its own.
const runName = (path) => `${path.run.checkpoint?.split("/")[0] || `${path.run.domain}/${path.run.group}`}/${path.stage}`;

// The items that took a path, under any seed, in the run asked for or in any.
async function onPath(filter) {
  const paths = await atlas.load("paths");
  const wanted = String(FATE_ORDER.indexOf(filter.path));
  const found = new Map();
  for (const path of paths) {
    if (filter.run && runName(path) !== filter.run) continue;
    if (filter.seed && path.run.seed !== filter.seed) continue;
    path.items.forEach((item, n) => {
      if (path.fates[n] === wanted) found.set(item, (found.get(item) || 0) + 1);
    });
  }
  return found;
}

async function matching(query, filter) {
  const all = await atlas.catalogue();
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const tests = Object.keys(TITLES).filter((name) => filter[name]).map((name) =>
    [all[name], atlas.overview.attributes[name].indexOf(filter[name])]);
  const path = filter.path ? await onPath(filter) : null;
  const found = [];
  for (let n = 0; n < all.ids.length; n += 1) {
    if (path && !path.has(n)) continue;
    if (!tests.every(([column, value]) => column[n] === value)) continue;
    if (!words.every((word) => all.haystack[n].includes(word))) continue;
    found.push(n);
  }
  return { all, found, path };
}

function facet(name, values, filter, query, label = (v) => v) {
  const { h } = atlas;
  const changed = (event) => {
    const next = { ...filter, [name]: event.target.value };
    atlas.afterwards = () => document.getElementById(`facet-${name}`)?.focus();
    location.hash = atlas.link({ ...(query ? { q: query } : {}), filter: writeFilter(next), view: "items" });
  };
  return h("label", {}, TITLES[name] || { path: "Path: base → tuned → restored", run: "Followed in", seed: "Seed" }[name],
    h("select", { id: `facet-${name}`, change: changed },
      h("option", { value: "" }, "any"),
      values.map((v) => h("option", { value: v, selected: filter[name] === v }, label(v)))));
}

atlas.views.items = async function (asked) {
  const { h, count } = atlas;
  const query = asked.get("q") || "";
  const filter = atlas.readFilter(asked.get("filter"));
  const { all, found, path } = await matching(query, filter);
  const values = atlas.overview.attributes;
  const paths = await atlas.load("paths");
  const facets = Object.keys(TITLES)
    .filter((name) => values[name].length > 2 || filter[name])
    .map((name) => facet(name, values[name].filter(Boolean), filter, query,
      (v) => name === "group" ? v.split(" + ").map(atlas.groupName).join(" + ") : v));
  if (paths.length) {
    const runs = [...new Set(paths.map(runName))];
    facets.push(facet("path", FATE_ORDER, filter, query, (v) => atlas.fates[v]));
    if (filter.path) {
      facets.push(facet("run", runs, filter, query, (v) => v.replace(/\/(\d+)$/, ", step $1")));
      facets.push(facet("seed", [...new Set(paths.map((p) => p.run.seed))], filter, query));
    }
  }
  const list = h("ul.entries", {});
  const more = h("button", { type: "button" }, "Show more");
  let shown = 0;
  const extend = () => {
    for (const n of found.slice(shown, shown + SHOWN)) list.append(entry(all, n, path));
    shown += SHOWN;
    more.hidden = shown >= found.length;
    more.textContent = `Show more (${count(Math.max(found.length - shown, 0))} left)`;
  };
  more.addEventListener("click", extend);
  extend();
  const quick = paths.length ? h("p", {}, "Quick: ",
    h("a", { href: atlas.link({ filter: "path:pseudo_forgotten" }) }, "right → wrong → right"), " · ",
    h("a", { href: atlas.link({ filter: "path:actually_forgotten" }) }, "right → wrong → wrong"), " · ",
    h("a", { href: atlas.link({ filter: "base:wrong,split:train" }) }, "trained on, base model wrong")) : null;
  const text = `${count(found.length)} of ${count(all.ids.length)} items`;
  atlas.say(text);
  return [
    h("h1", {}, query ? `Items with “${query}”` : "Items"),
    quick,
    h("form.facets", { "aria-label": "Filters" }, facets,
      asked.get("filter") || query ? h("a.reset", { href: "#view=items" }, "Clear") : null),
    h("p.count", { id: "count" }, text, path ? "; on this path under at least one seed" : ""),
    found.length ? list : h("p", {}, "No item matches. Search looks for every word in id and text."),
    more,
  ];
};

function entry(all, n, path) {
  const { h } = atlas;
  const value = (name) => atlas.overview.attributes[name][all[name][n]];
  const notes = [value("kind"), value("split"), value("group").split(" + ").filter(Boolean).map(atlas.groupName).join(" + "),
    value("base") && `base model ${value("base")}`, path && `on this path in ${path.get(n)} of the runs`];
  return h("li", {}, h("a.entry", { href: atlas.itemLink(all.ids[n]) },
    h("code", {}, all.ids[n]), h("span.text", {}, all.texts[n]),
    h("small", {}, notes.filter(Boolean).join(" · "))));
}

// One item's rows, from its shard.
atlas.readItem = async function (id) {
  const all = await atlas.catalogue();
  const number = all.number.get(id);
  if (number === undefined) return { all, life: null };
  const size = atlas.overview.itemShard;
  const shard = await atlas.load(`items-${Math.floor(number / size)}`);
  return { all, number, life: shard[number % size] };
};

// Ids like one that does not exist: those that share most pairs of letters.
atlas.nearest = function (all, id) {
  const pairs = (text) => new Set([...text.toLowerCase()].slice(1).map((c, n) => text.toLowerCase()[n] + c));
  const wanted = pairs(id);
  const score = (other) => {
    const own = pairs(other);
    let both = 0;
    for (const p of wanted) both += own.has(p);
    return (2 * both) / (wanted.size + own.size || 1);
  };
  return all.ids.map((other) => [score(other), other]).sort((a, b) => b[0] - a[0]).slice(0, 5).map(([, other]) => other);
};
