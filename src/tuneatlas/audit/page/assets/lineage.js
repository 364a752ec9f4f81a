// The lineage: every step and what it rests on; a step opened shows its jobs and their records.
"use strict";

const BOX = { width: 176, height: 46, gapX: 22, gapY: 34 };

function drawing(graph, chosen) {
  const { h, svg, link, seconds } = atlas;
  const columns = graph.map((node) => node.column);
  const left = Math.min(...columns), right = Math.max(...columns);
  const layers = Math.max(...graph.map((node) => node.layer)) + 1;
  const x = (node) => (node.column - left) * (BOX.width + BOX.gapX) + BOX.width / 2 + 4;
  const y = (node) => node.layer * (BOX.height + BOX.gapY) + BOX.height / 2 + 4;
  const by = new Map(graph.map((node) => [node.step, node]));
  const up = reach(chosen, (step) => by.get(step).needs);
  const down = reach(chosen, (step) => graph.filter((n) => n.needs.includes(step)).map((n) => n.step));
  const kin = (step) => step === chosen ? "self" : up.has(step) ? "up" : down.has(step) ? "down" : "";
  const edges = graph.flatMap((node) => node.drawn.filter((n) => by.has(n)).map((n) => {
    const before = by.get(n);
    const [x1, y1, x2, y2] = [x(before), y(before) + BOX.height / 2, x(node), y(node) - BOX.height / 2];
    const middle = (y2 - y1) / 2;
    const near = chosen && [kin(node.step), kin(n)].every((k) => k === "self" || k === "up")
      || chosen && [kin(node.step), kin(n)].every((k) => k === "self" || k === "down");
    return svg("path", { d: `M${x1} ${y1}C${x1} ${y1 + middle} ${x2} ${y2 - middle} ${x2} ${y2}`, class: near ? "edge near" : "edge" });
  }));
  const nodes = graph.map((node) => svg("a", { href: link({ step: node.step }), class: `node ${kin(node.step)}`,
    "aria-label": `${node.step}: ${node.jobs} jobs, ${seconds(node.cpu_s)} of processor`, "aria-current": node.step === chosen ? "true" : null },
    svg("rect", { x: x(node) - BOX.width / 2, y: y(node) - BOX.height / 2, width: BOX.width, height: BOX.height, rx: 8 }),
    svg("text", { x: x(node), y: y(node) - 3, class: "name" }, node.step),
    svg("text", { x: x(node), y: y(node) + 14, class: "cost" }, `${node.jobs} job${node.jobs === 1 ? "" : "s"} · ${seconds(node.cpu_s)}`)));
  const width = (right - left) * (BOX.width + BOX.gapX) + BOX.width + 8;
  const height = layers * (BOX.height + BOX.gapY) - BOX.gapY + 8;
  return h("figure.lineage", {}, h("div.plot", { tabindex: "-1" },
    svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "Steps of the workflow" }, edges, nodes)),
    h("figcaption", {}, chosen
      ? "Heavy frame: the step opened; solid tint: what it rests on; dashed frame: what rests on it."
      : "From data (top) to results (bottom); an edge that another path implies is not drawn. Open a step for its records."));
}

function reach(start, next) {
  const found = new Set();
  const todo = start ? [start] : [];
  while (todo.length) for (const step of next(todo.pop())) if (!found.has(step)) { found.add(step); todo.push(step); }
  return found;
}

atlas.views.lineage = async function (asked) {
  const { h, count, bytes, seconds } = atlas;
  const { graph, items, kinds } = atlas.overview;
  const chosen = asked.get("step");
  const known = graph.some((node) => node.step === chosen);
  const total = (name) => graph.reduce((sum, node) => sum + node[name], 0);
  const kindText = Object.entries(kinds).map(([kind, n]) => `${count(n)} ${kind}${n === 1 ? "" : "s"}`).join(", ");
  const parts = [
    h("h1", {}, known ? `Lineage of ${chosen}` : "Where everything comes from"),
    known ? null : h("p.lede", {}, "Every step of the run with what it rests on; every item with all that happened to it; every number of the report with the items it is made of."),
    known ? null : atlas.facts([["Steps and jobs", `${graph.length} steps, ${count(total("jobs"))} jobs`],
      ["Outputs", `${count(total("outputs"))}, ${bytes(total("bytes"))}`],
      ["Processor time", seconds(total("cpu_s"))], ["Items", `${count(items)}: ${kindText}`]]),
    chosen && !known ? h("p.note", { role: "alert" }, `No step is called “${chosen}”.`) : null,
    drawing(graph, known ? chosen : null),
  ];
  if (known) parts.push(...await opened(chosen, graph.find((node) => node.step === chosen), asked.get("output")));
  return parts;
};

async function opened(step, node, output) {
  const { h, link, count, bytes, seconds } = atlas;
  const data = await atlas.load(`step-${step}`);
  const at = Math.max(data.jobs.findIndex((job) => job.output === output), 0);
  const chooser = h("label.choose", {}, `Output (${count(data.jobs.length)})`,
    h("select", { change: (event) => { location.hash = link({ step, output: event.target.value }); } },
      data.jobs.map((job, n) => h("option", { value: job.output, selected: n === at }, job.output.replace("results/", "")))));
  const job = data.jobs[at];
  const used = node.needs.map((n) => h("a", { href: link({ step: n }) }, n));
  const users = atlas.overview.graph.filter((n) => n.needs.includes(step)).map((n) => h("a", { href: link({ step: n.step }) }, n.step));
  const comma = (links) => links.flatMap((l, n) => n ? [", ", l] : [l]);
  const inputs = Object.entries(job.inputs).map(([name, sha]) => [fileLink(name), h("code", {}, sha.slice(0, 16))]);
  return [
    h("section.panel", { "aria-labelledby": "opened" },
      h("h2", { id: "opened" }, step),
      h("p", {}, "Rests on ", used.length ? comma(used) : "nothing of this workflow", "; used by ", users.length ? comma(users) : "nothing", "."),
      chooser,
      atlas.facts([["Wall time", seconds(job.wall_s)], ["Processor", seconds(job.cpu_s)],
        ["Peak memory", job.peak_mb ? `${count(job.peak_mb)} MB` : "–"], ["Size", bytes(job.bytes)],
        ["Log", job.log ? h("a", { href: `../../${job.log}` }, "log") : "–"],
        ["Host", `${job.host.system || ""} ${job.host.machine || ""}, ${job.host.threads || 1} threads`], ["Seed", job.seed]]),
      h("h3", {}, "Output"),
      h("p", {}, fileLink(job.output), h("br"), "SHA-256 ", h("code", {}, job.sha256),
        job.files.length ? h("details", {}, h("summary", {}, `${job.files.length} files`), h("ul", {}, job.files.map((f) => h("li", {}, f)))) : null),
      h("h3", {}, "Config slice"),
      h("pre", { tabindex: "0", "aria-label": "Config slice" }, JSON.stringify({ ...job.options, ...(Object.keys(job.params).length ? { "(parameters)": job.params } : {}) }, null, 2)),
      h("h3", {}, "Inputs"),
      inputs.length ? atlas.table("Inputs as they were, with the start of their SHA-256", ["File", "SHA-256"], inputs, false) : h("p", {}, "None."),
      h("h3", {}, "Code"),
      atlas.table("Digest of each module that the step reaches", ["Module", "Digest"], Object.entries(data.codes[job.code]).map(([n, d]) => [n, h("code", {}, d)]), false),
      atlas.table("Libraries", ["Library", "Version"], Object.entries(data.libraries[job.libraries]), false),
      job.accepted.length ? h("h3", {}, "Accepted changes of code") : null,
      job.accepted.length ? h("ul", {}, job.accepted.map((text) => h("li", {}, text))) : null),
  ];
}

function fileLink(name) {
  return atlas.h("a", { href: `../../${name}` }, atlas.h("code", {}, name));
}
