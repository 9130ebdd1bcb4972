"use strict";
const WORDS = { accept: "Good enough to read", review: "A person should look",
  recapture: "Take it again" };
const STATUS = { out_of_scope: "Not judged", error: "Cannot be read" };
const drop = document.getElementById("drop"), files = document.getElementById("files");
const said = document.getElementById("said"), list = document.getElementById("list");
let queue = [], busy = false, total = 0, done = 0;

function show(row) {
  const card = document.getElementById("card").content.cloneNode(true).firstElementChild;
  const part = (name) => card.querySelector(name);
  card.classList.add(row.status === "ok" ? row.decision : row.status);
  part("h2").textContent = row.id;
  part(".verdict").textContent = row.status === "ok" ? WORDS[row.decision] : STATUS[row.status];
  const facts = [];
  if (row.quality) facts.push("grade " + row.quality);
  if (typeof row.score === "number") facts.push("score " + row.score.toFixed(2) + " (0 good, 1 bad)");
  part(".facts").textContent = facts.join(", ");
  const reasons = row.error ? [row.error] : (row.reasons || "").split("; ").filter(Boolean);
  for (const reason of reasons) {
    part("ul").appendChild(document.createElement("li")).textContent = reason;
  }
  part(".advice").textContent = row.advice || "";
  if (row.picture) part(".photo").src = row.picture; else card.classList.add("alone");
  if (row.map) {
    const veil = part(".veil"), slider = part("input");
    veil.src = row.map;
    veil.hidden = part(".strength").hidden = false;
    const fade = () => { veil.style.opacity = String(slider.value / 100); };
    slider.addEventListener("input", fade);
    fade();
  }
  list.prepend(card);
}

async function judge(file) {
  const form = new FormData();
  form.append("photo", file);
  const failed = (text) => show({ id: file.name, status: "error", error: text });
  try {
    const answer = await fetch("judge?pictures=1", { method: "POST", body: form });
    const found = await answer.json();
    if (answer.ok) found.rows.forEach(show); else failed(found.error);
  } catch (error) {
    failed("The judge does not answer: is fiqa serve still running?");
  }
}

async function work() {
  if (busy) return;
  busy = true;
  while (queue.length) {
    said.textContent = "Judging " + (done + 1) + " of " + total + " ...";
    await judge(queue.shift());
    done += 1;
  }
  said.textContent = total === 1 ? "1 photograph judged." : total + " photographs judged.";
  busy = false;
}

function take(given) {
  queue = queue.concat(Array.from(given));
  total += given.length;
  if (given.length) work();
}

files.addEventListener("change", () => { take(files.files); files.value = ""; });
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (e) => { e.preventDefault(); drop.classList.add("over"); });
}
for (const name of ["dragleave", "drop"]) {
  drop.addEventListener(name, (e) => { e.preventDefault(); drop.classList.remove("over"); });
}
drop.addEventListener("drop", (e) => take(e.dataTransfer.files));
