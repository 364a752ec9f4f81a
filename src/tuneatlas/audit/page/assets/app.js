// The frame of the page: data files, elements, and which view the address asks for.
"use strict";

const atlas = { views: {}, overview: null };

// Data files are scripts, as a page opened from disk may not fetch: each calls tuneatlas(name, data).
const loading = new Map();
function tuneatlas(name, data) { loading.get(name).done(data); }

atlas.load = function (name) {
  if (!loading.has(name)) {
    const entry = {};
    entry.promise = new Promise((done, failed) => {
      entry.done = done;
      const script = document.createElement("script");
      script.src = `data/${name}.js`;
      script.onerror = () => failed(new Error(`data/${name}.js cannot be read: is the folder whole?`));
      script.onload = () => script.remove();
      document.head.append(script);
    });
    loading.set(name, entry);
  }
  return loading.get(name).promise;
};

// An element: attributes by name, handlers as functions, children as nodes or text.
atlas.h = function (tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  set(element, attributes, children);
  return element;
};
atlas.svg = function (tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(element, attributes, children);
  return element;
};
function set(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false));
}

atlas.count = (n) => Number(n).toLocaleString("en");
atlas.bytes = function (n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let place = 0;
  while (n >= 1000 && place < units.length - 1) { n /= 1000; place += 1; }
  return `${place ? n.toFixed(1) : n} ${units[place]}`;
};
atlas.seconds = function (s) {
  if (s === null || s === undefined) return "–";
  if (s < 60) return `${s.toFixed(1)} s`;
  return s < 3600 ? `${(s / 60).toFixed(1)} min` : `${(s / 3600).toFixed(1)} h`;
};
atlas.share = (x) => `${(100 * x).toFixed(1)}%`;
atlas.letter = (n) => "ABCDEFGHIJ"[n];
atlas.groupName = function (group) {
  const names = { base: "Base model", harmonious: "Harmonious", incompatible: "Incompatible", self_aligning: "Self-aligning" };
  return names[group] || group.replace(/^mixed_(\d+)$/, "$1% self-aligning");
};
atlas.link = (parts) => "#" + new URLSearchParams(parts).toString().replaceAll("%2F", "/").replaceAll("%3A", ":").replaceAll("%2C", ",");
atlas.itemLink = (id) => atlas.link({ item: id });
atlas.say = (text) => { document.getElementById("status").textContent = text; };

// A table with a caption; cells are nodes or text, {num: text} are numbers.
atlas.table = function (caption, head, rows, wide = true) {
  const { h } = atlas;
  const cell = (tag, value, extra = {}) => (value && typeof value === "object" && "num" in value)
    ? h(`${tag}.num`, extra, value.num) : h(tag, extra, value);
  return h("div.scroll", { role: "region", tabindex: "0", "aria-label": caption },
    h(wide ? "table.wide" : "table", {}, h("caption", {}, caption),
      h("thead", {}, h("tr", {}, head.map((c) => cell("th", c, { scope: "col" })))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((c, n) =>
        n ? cell("td", c) : cell("th", c, { scope: "row" })))))));
};
atlas.facts = (pairs) => atlas.h("dl.facts", {}, pairs.map(([name, value]) =>
  atlas.h("div", {}, atlas.h("dt", {}, name), atlas.h("dd", {}, value))));

function parameters() { return new URLSearchParams(location.hash.slice(1)); }

let drawn = 0;
async function route() {
  if (location.hash === "#main") return;
  const asked = parameters();
  const main = document.getElementById("main");
  const view = asked.has("item") ? "item" : asked.has("step") ? "lineage"
    : asked.has("of") ? "numbers" : asked.has("filter") || asked.has("q") ? "items"
    : asked.get("view") || "lineage";
  const ticket = ++drawn;
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === (view === "item" ? "items" : view)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const query = document.getElementById("query");
  if (document.activeElement !== query) query.value = asked.get("q") || "";
  try {
    const show = atlas.views[view] || atlas.views.lineage;
    const content = await show(asked);
    if (ticket !== drawn) return;
    main.replaceChildren(...[content].flat(3).filter(Boolean));
    const title = main.querySelector("h1");
    document.title = `${title ? title.textContent : "audit"} · tuneatlas`;
    main.dataset.ready = view;
    if (document.activeElement !== query) scrollTo(0, 0);
    if (atlas.afterwards) { atlas.afterwards(); atlas.afterwards = null; }
  } catch (error) {
    main.replaceChildren(atlas.h("p.note", { role: "alert" }, error.message));
    main.dataset.ready = "error";
    throw error;
  }
}

function keys(event) {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "Escape" && typing) return event.target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") { event.preventDefault(); document.getElementById("query").focus(); }
  if (event.key === "u" && parameters().has("item")) history.length > 1 ? history.back() : (location.hash = "#view=items");
  if (event.key === "j" || event.key === "k") {
    const links = [...document.querySelectorAll("main a.entry")];
    const at = links.indexOf(document.activeElement);
    const next = links[event.key === "j" ? at + 1 : Math.max(at - 1, 0)];
    if (next) next.focus();
  }
}

atlas.start = async function () {
  const query = document.getElementById("query");
  query.addEventListener("input", () => {
    const asked = parameters();
    const parts = { q: query.value };
    if (asked.has("filter")) parts.filter = asked.get("filter");
    history.replaceState(null, "", atlas.link(parts));
    route();
  });
  document.getElementById("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const first = document.querySelector("main a.entry");
    if (first) first.focus();
  });
  addEventListener("hashchange", route);
  addEventListener("keydown", keys);
  atlas.overview = await atlas.load("overview");
  await route();
  atlas.catalogue();  // so that the first search does not wait
};
