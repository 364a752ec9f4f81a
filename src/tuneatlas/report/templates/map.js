// Two treatments compared: which are chosen stands in the address, so that it can be sent.
"use strict";

const pairs = JSON.parse(document.getElementById("pairs").textContent);
const buttons = [...document.querySelectorAll("button.choose")];
const titles = [...document.querySelectorAll(".map thead th")].slice(1).map((cell) => cell.firstChild.data);
const table = document.querySelector("#compared table");
let chosen = [];

function cell(kind, text, attributes = {}) {
  const made = document.createElement(kind);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function show() {
  for (const button of buttons) {
    const place = chosen.indexOf(Number(button.dataset.row));
    button.setAttribute("aria-pressed", String(place >= 0));
    button.dataset.place = place < 0 ? "" : ["first", "second"][place];
  }
  const said = chosen.map((n) => buttons[n].querySelector(".who").textContent + ", " + buttons[n].querySelector("small").textContent);
  const rows = chosen.length === 2 ? pairs[chosen.join(",")] || [] : [];
  document.getElementById("asked").textContent =
    chosen.length < 2 ? "Choose two rows of the map." : rows.length ? `${said[0]}, less ${said[1]}:` : `${said[0]} and ${said[1]} share no trainings.`;
  table.hidden = !rows.length;
  table.tBodies[0].replaceChildren(
    ...rows.map(([measure, value, low, high, apart]) => {
      const row = document.createElement("tr");
      row.className = apart ? "" : "open";
      row.append(cell("th", titles[measure], { scope: "row" }), cell("td", value, { class: "num" }), cell("td", `${low} to ${high}`, { class: "num" }));
      return row;
    }),
  );
  document.getElementById("main").dataset.ready = "true";
}

function choose(row) {
  chosen = chosen.includes(row) ? chosen.filter((n) => n !== row) : [...chosen, row].slice(-2);
  history.replaceState(null, "", chosen.length ? `#rows=${chosen.join(",")}` : "#map");
  show();
}

function read() {
  const asked = (location.hash.match(/^#rows=(\d+),(\d+)$/) || []).slice(1).map(Number);
  if (asked.every((n) => n < buttons.length)) chosen = asked;
  show();
}

for (const button of buttons) button.addEventListener("click", () => choose(Number(button.dataset.row)));
addEventListener("hashchange", read);
read();
