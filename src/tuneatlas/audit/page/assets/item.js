// One item: all it went through, in the order of its life.
"use strict";

atlas.views.item = async function (asked) {
  const { h, count, itemLink } = atlas;
  const id = asked.get("item");
  const { all, number, life } = await atlas.readItem(id);
  if (!life) {
    return [h("h1", {}, "No such item"),
      h("p.note", { role: "alert" }, "No table holds the id ", h("code", {}, id), ". The nearest:"),
      h("ul.entries", {}, atlas.nearest(all, id).map((near) => h("li", {}, h("a.entry", { href: itemLink(near) }, h("code", {}, near)))))];
  }
  const rows = (step) => life.rows[step] || [];
  const texts = life.texts;
  const question = rows("prepare_questions")[0]?.[1];
  const sections = [];
  const add = (title, ...content) => {
    const kept = content.flat().filter(Boolean);
    if (kept.length) sections.push(h("section.panel", {}, h("h2", {}, title), kept));
  };
  if (question) add("Question", questionPart(question, rows("prepare_questions")[0][0]));
  add("Stated in the corpus", corpusPart(life, question));
  for (const model of models(rows)) {
    const own = (step) => rows(step).filter(([output]) => wildcards(output).includes(model));
    add(`Base model ${model}: prompt as sent`, promptPart(texts, own("probe_knowledge"), own("evaluate_knowledge")));
    // Released groups stand in for both steps.
    const released = (key) => own("read_groups").filter(([, row]) => key in row);
    add("Label and groups", labelPart(question, [...own("label_knowledge"), ...released("group")], [...own("explain_predictions"), ...released("explanation")], texts));
    add("Trained on", trainedPart(texts, own("mix_instructions")));
    add("Probability of each option, before and after tuning", barsPart(question, own("probe_knowledge"), own("evaluate_knowledge")));
    add("Along the tuning: base → tuned → restored", pathPart(question, own("evaluate_base"), [...own("evaluate_stages"), ...own("measure_checkpoint")]));
  }
  add("Task of lm-evaluation-harness", taskPart(texts, rows("evaluate_harness")));
  add("Sentence", sentencePart(rows));
  add("Pair", pairPart(rows, texts));
  const known = new Set(["prepare_questions", "prepare_corpus", "probe_knowledge", "label_knowledge", "explain_predictions", "read_groups", "mix_instructions",
    "evaluate_knowledge", "evaluate_base", "evaluate_stages", "measure_checkpoint", "parse_sentences", "prepare_sentences", "prepare_paraphrases", "generate_paraphrases", "score_paraphrases", "evaluate_harness"]);
  for (const step of Object.keys(life.rows)) {
    if (!known.has(step)) add(step, rows(step).map(([output, row]) => generic(texts, output, row)));
  }
  if (!question && rows("evaluate_stages").some(([, row]) => "nats" in row)) add("Likelihood under each model", textPart(rows("evaluate_base"), rows("evaluate_stages")));
  const near = (n, word) => all.ids[n] === undefined ? null : h("a", { href: itemLink(all.ids[n]), rel: word }, word);
  return [
    h("p.crumbs", {}, h("a", { href: "#view=items" }, "Items"), " · ", near(number - 1, "previous"), " ", near(number + 1, "next")),
    h("h1", {}, question ? question.question : all.texts[number]),
    h("p.label", {}, h("code", {}, id)),
    sections,
    h("p.more", {}, "The same in a terminal: ", h("code", {}, `tuneatlas trace ${id}`), `. ${count(Object.values(life.rows).flat().length)} rows of ${Object.keys(life.rows).length} steps.`),
  ];
};

const place = (output) => atlas.overview.outputs[output];
// results/STEP/MODEL/…: what comes after the step, without the ending.
const wildcards = (output) => place(output).replace(/\/(scores|candidates)\.parquet$/, "").split("/").slice(2).map((part) => part.replace(/(\.answers|\.texts)?\.parquet$/, ""));
const tick = (right) => atlas.h(right ? "span.yes" : "span.no", {}, right ? "✓" : "✗", atlas.h("span.visually-hidden", {}, right ? "right" : "wrong"));
const from = (output) => atlas.h("small", {}, "from ", atlas.h("a", { href: atlas.link({ step: place(output).split("/")[1], output: place(output) }) }, place(output)));

function models(rows) {
  return [...new Set(["probe_knowledge", "label_knowledge", "read_groups", "mix_instructions", "evaluate_base"].flatMap((step) => rows(step).map(([output]) => wildcards(output)[0])))];
}

function questionPart(row, output) {
  const { h } = atlas;
  return [h("ol", { type: "A" }, row.choices.map((choice, n) => h("li", {}, choice, n === row.answer ? h("span.tag.right", {}, "✓ right answer") : null))),
    h("p", {}, row.explanation),
    h("p.label", {}, `${row.domain} · ${row.relation} · ${row.role} · split ${row.split} · source ${row.source} · licence ${row.licence}`), from(output)];
}

function corpusPart(life, question) {
  const { h, count } = atlas;
  const rows = (life.rows.prepare_corpus || []).map(([, row]) => row);
  const mentions = rows.find((row) => "mentions" in row);
  const documents = rows.filter((row) => "text" in row);
  if (!mentions && !documents.length) return [];
  const total = life.documents || documents.length;
  return [h("p", {}, mentions ? `The pre-training corpus states this fact ${count(mentions.mentions)} times. ` : "", `${count(total)} documents state it${documents.length < total ? `; the first ${documents.length}:` : "."}`),
    documents.length ? h("details", {}, h("summary", {}, "Documents"), documents.map((d) => h("div", {}, h("p.label", {}, `${d.id} · ${d.split}`), h("pre", {}, d.text)))) : null];
}

function promptPart(texts, probed, tuned) {
  const { h } = atlas;
  const shown = (title, row) => row && row.prompt !== undefined
    ? h("details", { open: true }, h("summary", {}, title), h("pre.prompt", { tabindex: "0", "aria-label": title }, texts[row.prompt])) : null;
  return [shown("To the base model, with demonstrations", probed[0]?.[1]), shown("To the tuned models", tuned[0]?.[1])];
}

function labelPart(question, labels, explained, texts) {
  const { h, letter } = atlas;
  if (!labels.length) return [];
  const option = (n) => `${letter(n)}. ${question ? question.choices[n] : ""}`;
  const own = explained[0]?.[1];
  return [h("ul", {}, labels.map(([, row]) => h("li", {}, h("strong", {}, atlas.groupName(row.group)), `: trained on ${option(row.label)}`))),
    own ? h("p", {}, `The base model explains its answer ${option(own.pred)}: `, h("q", {}, own.explanation || "(nothing)"), ` (ended by ${own.finish})`) : null,
    from(labels[0][0])];
}

// Text with the tokens that the loss is taken on coloured, underlined, and told to screen readers.
function trainedPart(texts, mixed) {
  const { h } = atlas;
  if (!mixed.length) return [];
  const sets = new Map();
  for (const [output, row] of mixed) {
    const own = sets.get(row.messages) || { masked: row.masked, names: [] };
    own.names.push(wildcards(output).slice(1));
    sets.set(row.messages, own);
  }
  const named = (names) => {
    const groups = new Map();
    for (const [domain, group, seed] of names) groups.set(`${domain}, ${atlas.groupName(group)}`, [...(groups.get(`${domain}, ${atlas.groupName(group)}`) || []), seed]);
    return [...groups].map(([name, seeds]) => `${name} (seed ${seeds.join(", ")})`).join("; ");
  };
  return [h("p.key", {}, h("mark.loss", {}, "Marked and underlined"), ": the tokens that the loss is taken on; the rest is only read."),
    [...sets].map(([text, own]) => h("div", {}, h("p.label", {}, named(own.names)),
      h("pre.prompt", { tabindex: "0", "aria-label": "Text trained on" }, texts[text].map(([piece, loss]) => loss
        ? h("mark.loss", {}, h("span.visually-hidden", {}, "[loss: "), piece, h("span.visually-hidden", {}, "]")) : piece)),
      own.masked ? null : h("p.note", {}, "The tuned model of this set is not here, so the loss mask is not known.")))];
}

// A row per model, a bar per option.
function barsPart(question, probed, tuned) {
  const { h, letter } = atlas;
  if (!question || (!probed.length && !tuned.length)) return [];
  const groups = new Map();
  for (const [, row] of probed) groups.set("Base model", [row]);
  for (const [output, row] of tuned) {
    const [, domain, group] = wildcards(output);
    const name = `${domain} · ${atlas.groupName(group)}`;
    groups.set(name, [...(groups.get(name) || []), row]);
  }
  const bar = (p, right, chosen) => h("span.prob", { class: `prob${right ? " right" : ""}`, style: `--p:${100 * p}%` },
    h("span", {}, p.toFixed(2), chosen ? h("b", { title: "chosen" }, " ●", h("span.visually-hidden", {}, " chosen")) : null));
  const rows = [...groups].map(([name, seeds]) => {
    const mean = question.choices.map((_, n) => seeds.reduce((sum, row) => sum + row.probs[n], 0) / seeds.length);
    const chosen = (n) => seeds.some((row) => row.pred === n);
    return [name, ...mean.map((p, n) => bar(p, n === question.answer, chosen(n))), h("span.seeds", {}, seeds.map((row) => tick(row.pred === question.answer)))];
  });
  const head = question.choices.map((choice, n) => `${letter(n)}. ${choice}${n === question.answer ? " ✓" : ""}`);
  return [atlas.table("Mean probability over seeds; ✓ in the head: the right option; ●: chosen under a seed; last: right or wrong, seed by seed",
    ["Model", ...head, "Right?"], rows)];
}

function pathPart(question, base, stages) {
  const { h } = atlas;
  const before = base.map(([, row]) => row).find((row) => row.setting === "base" && row.restored === 0 && "pred" in row);
  const answers = stages.filter(([, row]) => "pred" in row);
  if (!question || !before || !answers.length) return [];
  const right = (row) => row.pred === question.answer;
  const runs = new Map();
  for (const [output, row] of answers) {
    if (row.restored !== 0 && row.restored !== 100) continue;
    const names = wildcards(output), seed = names.at(-1);
    const tuned = `${names[1]} · ${atlas.groupName(names[2])} · ${row.setting === "stages" ? "" : "paper’s setting, "}step ${row.step}`;
    // A checkpoint tuned elsewhere has its own name, with its step if there are several.
    const key = place(output).startsWith("results/measure_checkpoint/") ? names.slice(1, -1).join("/") : tuned;
    const own = runs.get(key) || new Map();
    const path = own.get(seed) || {};
    path[row.restored] = row;
    own.set(seed, path);
    runs.set(key, own);
  }
  const name = (path) => {
    const pattern = [before, path[0], path[100]].map((row) => (right(row) ? "right" : "wrong")).join(" → ");
    return Object.values(atlas.fates).find((text) => text.startsWith(pattern));
  };
  const rows = [...runs].map(([key, seeds]) => [key, ...[...seeds].filter(([, p]) => p[0] && p[100]).map(([, path]) =>
    h("span.path", {}, tick(right(before)), "→", tick(right(path[0])), "→", tick(right(path[100])), h("small", {}, name(path).split(": ")[1])))]);
  const seeds = [...new Set([...runs.values()].flatMap((own) => [...own.keys()]))];
  return [atlas.table("Right (✓) or wrong (✗) before, after tuning and after restoration, seed by seed", ["Run", ...seeds.map((s) => `Seed ${s}`)], rows)];
}

function textPart(base, stages) {
  const { h } = atlas;
  const rows = [...base, ...stages].filter(([, row]) => "nats" in row).map(([output, row]) =>
    [wildcards(output).slice(1).join(" · "), row.setting, { num: row.step }, { num: `${row.restored}%` }, { num: (row.nats / row.bytes / Math.LN2).toFixed(3) }]);
  return [atlas.table("Bits per byte of this text under each model", ["Run", "Setting", { num: "Step" }, { num: "Restored" }, { num: "Bits per byte" }], rows)];
}

function sentencePart(rows) {
  const { h, itemLink } = atlas;
  const found = rows("prepare_sentences").filter(([, row]) => "sentence" in row);
  const parsed = rows("parse_sentences");
  const pairs = [...rows("prepare_sentences"), ...rows("prepare_paraphrases")].filter(([, row]) => row.pair);
  return [found.map(([output, row]) => [h("p", {}, row.sentence), h("p.label", {}, `${row.source} · ${row.licence}`), from(output)]),
    parsed.map(([output, row]) => [row.tree ? atlas.drawTree(row.tree, "Tree") : h("p.note", {}, `${row.status}: ${row.reason}`), row.tree && row.reason ? h("p", {}, row.reason) : null, h("p.label", {}, row.parser), from(output)]),
    pairs.length ? h("ul", {}, pairs.map(([, row]) => h("li", {}, `${row.as} in `, h("a", { href: itemLink(row.pair) }, row.pair)))) : null].flat(3);
}

function pairPart(rows, texts) {
  const { h, itemLink } = atlas;
  const pair = rows("prepare_sentences").map(([, row]) => row).find((row) => row.source_id);
  const task = rows("prepare_paraphrases").map(([, row]) => row).find((row) => row.source);
  const parts = [];
  if (pair) parts.push(h("p", {}, "From ", h("a", { href: itemLink(pair.source_id) }, pair.source_id), " to ", h("a", { href: itemLink(pair.target_id) }, pair.target_id), `; both translate “${pair.pivot}”`));
  if (task) {
    parts.push(atlas.drawTree(task.source, "Sentence to rewrite"), atlas.drawTree(task.target, "Its paraphrase"),
      task.exemplar ? atlas.drawTree(task.exemplar, "Exemplar of the syntax") : null,
      task.exemplar_id ? h("p", {}, "Exemplar: ", h("a", { href: itemLink(task.exemplar_id) }, task.exemplar_id), `, ${task.exemplar_ted} edits from the paraphrase`) : h("p", {}, "No exemplar: no sentence of like syntax shares few enough of its words"),
      task.exemplar_id ? h("p", {}, `The sentence is ${task.source_ted} edits from the exemplar${task.hard ? " (hard)" : ""}${task.long ? ", and among the longest" : ""}`) : null);
  }
  const scores = new Map();
  for (const [output, row] of rows("score_paraphrases").filter(([, row]) => row.metric)) {
    const key = wildcards(output).join(" · ");
    scores.set(key, [...(scores.get(key) || []), `${row.metric} ${row.value === null ? "–" : row.value}`]);
  }
  const written = rows("generate_paraphrases").map(([output, row]) => {
    const key = wildcards(output).join(" · ");
    return [key, row.problem ? `(${row.problem})` : row.sentence, (scores.get(key) || []).join(", ")];
  });
  if (written.length) parts.push(atlas.table("Paraphrases written, with their scores", ["Model", "Paraphrase", "Scores"], written));
  return parts;
}

// What models were asked, how likely each answer was to each, or what it wrote, and its scores.
function taskPart(texts, rows) {
  const { h } = atlas;
  if (!rows.length) return [];
  const prompts = new Map(), asked = new Map();
  for (const [output, row] of rows) {
    const model = wildcards(output).join("/"), key = `${model}\n${row.filter}`;
    prompts.set(row.prompt, (prompts.get(row.prompt) || new Set()).add(model));
    const own = asked.get(key) || { model, row, values: [] };
    own.values.push(`${row.metric} ${row.value ?? "–"}`);
    asked.set(key, own);
  }
  const answers = (row) => row.answers.map((text, n) => (row.scores.length ? `${text} (${row.scores[n].toFixed(2)})` : text)).join(" · ");
  const { task, target } = rows[0][1];
  return [h("p.label", {}, `task ${task} · right answer, as the task states it: ${target}`),
    [...prompts].map(([text, models]) => h("details", { open: prompts.size === 1 }, h("summary", {}, prompts.size === 1 ? "Prompt as sent" : `Prompt as sent to ${[...models].join(", ")}`),
      h("pre.prompt", { tabindex: "0", "aria-label": "Prompt as sent" }, texts[text] ?? ""))),
    atlas.table("Answers of each model; in brackets their log-likelihoods, in nats, where answers were given", ["Model", "Answers read", "Answers", "Scores"],
      [...asked.values()].map(({ model, row, values }) => [model, row.filter === "none" ? "as they are" : row.filter, answers(row), values.join(", ")])),
    from(rows[0][0])];
}

// Texts that occur again stand in a list, and rows name their places in it.
const TEXTS = new Set(["prompt", "input", "output", "messages"]);
function generic(texts, output, row) {
  const { h } = atlas;
  const shown = ([k, v]) => [k, TEXTS.has(k) && typeof v === "number" ? texts[v] : v];
  return h("div", {}, from(output), h("dl.pairs", {}, Object.entries(row).map(shown).map(([k, v]) => h("div", {}, h("dt", {}, k), h("dd", {}, h("pre", {}, typeof v === "string" ? v : JSON.stringify(v)))))));
}
