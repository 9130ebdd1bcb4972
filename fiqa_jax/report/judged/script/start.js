// The printed sheet, the controls, the keys.
function sheet() {
  const retakes = rows.filter((row) => own[row.id] ? own[row.id] === "retake"
    : row.group === "recapture").sort(SORTS.patient[1]);
  const body = retakes.map((row) => node("tr", [
    node("td", node("div", [], "box")), node("td", picture(row, false)),
    node("td", [row.patient || "\u00a0", node("br"), row.eye && `${row.eye} eye`]),
    node("td", row.name), node("td", row.causes.join(", ") || "\u00a0"), node("td", row.advice),
  ]));
  const head = ["", "", "Patient", "File", "Why", "What to do"].map((text) => node("th", text));
  $("sheet").replaceChildren(node("h1", `${retakes.length} photographs to take again: `
    + data.run.title), node("table", [node("thead", node("tr", head)), node("tbody", body)]));
  const loaded = [...$("sheet").querySelectorAll("img")].map((image) => image.decode());
  return Promise.allSettled(loaded);
}

function options(select, pairs) {
  select.replaceChildren(...pairs.map(([value, text]) => {
    const one = node("option", text);
    one.value = value;
    return one;
  }));
}

function counted(values) {
  const found = new Map();
  for (const value of values) found.set(value, (found.get(value) || 0) + 1);
  return found;
}

function start() {
  const groups = counted(rows.map((row) => row.group));
  const causes = counted(rows.flatMap((row) => row.causes));
  $("lead").textContent = `${rows.length} files, judged by ${data.run.model}.`;
  for (const group of Object.keys(WORDS)) {
    if (!groups.has(group) && !(group in { accept: 1, recapture: 1 })) continue;
    const tile = node("button", [node("b", String(groups.get(group) || 0)), WORDS[group]], group);
    tile.type = "button";
    tile.addEventListener("click", () => { $("decision").value = group; refresh(); });
    $("tiles").append(tile);
  }
  options($("decision"), [["", "all files"],
    ...Object.entries(WORDS).filter(([group]) => groups.has(group))
      .map(([group, text]) => [group, `${text} (${groups.get(group)})`]),
    ...Object.entries(OWN).map(([mark, text]) => [`own:${mark}`, `you said: ${text}`]),
    ["own:none", "not yet decided by you"]]);
  options($("reason"), [["", "any"], ...[...causes].sort((a, b) => b[1] - a[1])
    .map(([name, n]) => [name, `${name} (${n})`])]);
  if (!rows.some((row) => row.patient)) {
    $("view").options[1].disabled = true;
    $("view").title = "no patient is known: neither a manifest nor the names tell";
  }
  options($("sort"), Object.entries(SORTS).map(([key, [text]]) => [key, text]));
  for (const id of ["decision", "reason", "sort", "view"]) $(id).addEventListener("change", refresh);
  for (const id of ["find", "low", "high"]) $(id).addEventListener("input", refresh);
  $("reset").addEventListener("click", () => {
    for (const id of ["decision", "reason", "find", "low", "high"]) $(id).value = "";
    refresh();
  });
  $("back").addEventListener("click", () => turn(-1));
  $("on").addEventListener("click", () => turn(1));
  $("previous").addEventListener("click", () => open(at - 1));
  $("next").addEventListener("click", () => open(at + 1));
  $("close").addEventListener("click", () => $("detail").close());
  $("fade").addEventListener("input", fade);
  $("save").addEventListener("click", save);
  $("load").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", load);
  $("print").addEventListener("click", async () => { await sheet(); window.print(); });
  $("detail").addEventListener("close", draw);
  document.addEventListener("keydown", key);
  window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
  remember();
  refresh();
}

function key(event) {
  if (!$("detail").open || event.ctrlKey || event.metaKey || event.altKey) return;
  const marks = { g: "good", r: "retake", u: "unsure" };
  const pressed = event.key.toLowerCase();
  if (event.target === $("fade") && event.key.startsWith("Arrow")) return;
  if (event.key === "ArrowLeft") open(at - 1);
  else if (event.key === "ArrowRight") open(at + 1);
  else if (pressed in marks) decide(marks[pressed]);
  else if (pressed === "m") { $("fade").value = $("fade").value === "0" ? 60 : 0; fade(); }
  else return;
  event.preventDefault();
}

start();
