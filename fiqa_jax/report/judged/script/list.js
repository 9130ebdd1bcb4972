// Cards of photographs, patients and their eyes, page by page.
function picture(row, lazy) {
  const box = node("div", [], "picture");
  if (!row.picture) {
    box.append(row.status === "error" ? "cannot be read" : "no picture");
    return box;
  }
  for (const [name, suffix] of [["photo", ".jpg"], ["veil", ".png"]]) {
    if (name === "veil" && !row.veil) continue;
    const image = node("img", [], name);
    if (lazy) image.loading = "lazy";
    image.decoding = "async";
    image.alt = name === "veil" ? "" : row.name;
    image.src = source(row, suffix);
    box.append(image);
  }
  return box;
}

function score(row) {
  return row.score === null ? "" : `score ${row.score.toFixed(2)}`;
}

function card(row) {
  const button = node("button", [], `card ${row.group}`);
  button.type = "button";
  button.title = row.name;
  const mark = own[row.id] ? node("span", `you: ${OWN[own[row.id]]}`, "own") : "";
  const who = [row.patient, row.eye && `${row.eye} eye`].filter(Boolean).join(", ");
  const why = row.causes.join(", ");
  button.append(picture(row, true), node("span", [
    node("span", row.name, "title"),
    node("span", WORDS[row.group], "tag"), " ", mark,
    node("small", [score(row), why].filter(Boolean).join(" · ") || "\u00a0"),
    who ? node("small", who) : "",
  ], "below"));
  button.dataset.place = row.place;
  button.addEventListener("click", () => open(shown.indexOf(row)));
  return button;
}

function chosen() {
  const group = $("decision").value;
  const reason = $("reason").value;
  const text = $("find").value.trim().toLowerCase();
  const low = $("low").value === "" ? null : Number($("low").value);
  const high = $("high").value === "" ? null : Number($("high").value);
  const kept = rows.filter((row) => {
    if (group.startsWith("own:")) {
      if ((own[row.id] || "none") !== group.slice(4)) return false;
    } else if (group && row.group !== group) return false;
    if (reason && !row.causes.includes(reason)) return false;
    if (text && !`${row.id} ${row.name} ${row.patient}`.toLowerCase().includes(text)) return false;
    if ((low !== null || high !== null) && row.score === null) return false;
    return (low === null || row.score >= low) && (high === null || row.score <= high);
  });
  const order = SORTS[$("sort").value][1];
  return order ? kept.sort((a, b) => order(a, b) || a.place - b.place) : kept;
}

function refresh() {
  shown = chosen();
  page = 0;
  draw();
}

function people() {
  const found = new Map();
  for (const row of shown) {
    const key = row.patient || row.name;
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(row);
  }
  return [...found];
}

function fine(row) {
  return own[row.id] ? own[row.id] === "good" : row.group === "accept";
}

function person([name, theirs]) {
  const eyes = node("div", [], "eyes");
  for (const side of ["right", "left", ""]) {
    const those = theirs.filter((row) => row.eye === side);
    if (!those.length && (side === "" || !theirs.some((row) => row.eye))) continue;
    const good = those.filter(fine).sort((a, b) => a.score - b.score);
    const says = !those.length ? "no photograph" : good.length
      ? `${good.length} of ${those.length} good enough, best: ${good[0].name}` : "retake";
    const title = `${side ? side[0].toUpperCase() + side.slice(1) + " eye" : "Photographs"}: `;
    eyes.append(node("section", [
      node("h3", [title, node("b", says)]), node("div", those.map(card), "row"),
    ]));
  }
  return node("section", [node("h2", name), eyes], "person");
}

function draw() {
  const grouped = $("view").value === "eyes";
  const units = grouped ? people() : shown;
  const pages = Math.max(1, Math.ceil(units.length / PAGE));
  page = Math.min(Math.max(page, 0), pages - 1);
  const part = units.slice(page * PAGE, (page + 1) * PAGE);
  $("list").replaceChildren(...part.map(grouped ? person : card));
  $("count").textContent = `${shown.length} of ${rows.length} files`
    + (grouped ? `, ${units.length} patients` : "");
  $("page").textContent = `page ${page + 1} of ${pages}`;
  $("pages").hidden = pages === 1;
  $("back").disabled = page === 0;
  $("on").disabled = page === pages - 1;
  histogram();
}

function turn(step) {
  page += step;
  draw();
  window.scrollTo(0, $("histogram").offsetTop);
}
