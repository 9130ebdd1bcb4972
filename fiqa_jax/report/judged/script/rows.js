// The rows, in what order and which of them are shown; what a person decided.
"use strict";
const PAGE = 60;
const WORDS = {
  accept: "good enough", review: "look at it", recapture: "retake",
  out_of_scope: "not a fundus photograph", error: "could not be read", skipped: "no photograph",
};
const CAUSES = { map: "a part cannot be seen", overall: "no single cause" };
const OWN = { good: "good enough", retake: "retake", unsure: "not sure" };
const GRADABLE = { good: "1", retake: "0", unsure: "" };
const SORTS = {
  input: ["as judged", null],
  worst: ["worst score first", (a, b) => (b.score ?? -1) - (a.score ?? -1)],
  best: ["best score first", (a, b) => (a.score ?? 2) - (b.score ?? 2)],
  unsure: ["nearest to the limit first", (a, b) => near(a) - near(b)],
  name: ["name", (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true })],
  patient: ["patient", (a, b) => a.patient.localeCompare(b.patient, undefined, { numeric: true })
    || a.eye.localeCompare(b.eye)],
};
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const rows = data.rows.map((values, place) => {
  const row = { place };
  data.names.forEach((name, k) => { row[name] = values[k]; });
  for (const name of ["reasons", "advice", "error"]) row[name] = data.texts[row[name]];
  row.group = row.status === "ok" ? row.decision : row.status;
  row.causes = row.status === "ok" && row.reasons
    ? [...new Set(row.reasons.split("; ").map((text) => text.split(":")[0]))]
      .map((name) => CAUSES[name] || name) : [];
  return row;
});
const limits = limitsOf(rows);
const store = "fiqa-decisions:" + data.run.model + ":" + data.run.title + ":" + rows.length;
let own = remembered();
let shown = rows;
let page = 0;
let at = -1;
let unsaved = false;

function node(kind, content, name) {
  const made = document.createElement(kind);
  if (name) made.className = name;
  for (const one of [].concat(content ?? [])) made.append(one);
  return made;
}

function limitsOf(all) {
  const scores = (group) => all.filter((r) => r.group === group && r.score !== null)
    .map((r) => r.score);
  const top = scores("accept").reduce((a, b) => Math.max(a, b), 0);
  const low = scores("recapture").reduce((a, b) => Math.min(a, b), 1);
  return (top + low) / 2;
}

function near(row) {
  return row.score === null ? 2 : Math.abs(row.score - limits);
}

function remembered() {
  try { return JSON.parse(localStorage.getItem(store)) || {}; } catch { return {}; }
}

function remember() {
  try { localStorage.setItem(store, JSON.stringify(own)); } catch { /* a private window */ }
  const marked = Object.keys(own).length;
  $("save").textContent = marked ? `Save my decisions (${marked})` : "Save my decisions";
  $("save").disabled = !marked;
}

function source(row, suffix) {
  const name = row.picture + suffix;
  return data.pictures[name] || `${data.run.folder}/${name}`;
}
