// One photograph, large, and the decision of whoever looks at it.
function open(place) {
  if (place < 0 || place >= shown.length) return;
  at = place;
  const row = shown[at];
  $("large").replaceChildren(...picture(row, false).childNodes);
  fade();
  $("name").textContent = row.name;
  $("facts").textContent = [row.patient && `patient ${row.patient}`, row.eye && `${row.eye} eye`,
    `${at + 1} of ${shown.length}`].filter(Boolean).join(" · ");
  const area = row.area === null ? "" : `${Math.round(row.area * 100)} % of the field bad`;
  $("verdict").replaceChildren(node("span", WORDS[row.group], `tag ${row.group}`), " ",
    [row.quality, score(row), area].filter(Boolean).join(" · "));
  const reasons = row.error ? [row.error] : row.reasons ? row.reasons.split("; ") : [];
  $("why").replaceChildren(...reasons.map((text) => node("li", text)));
  $("advice").textContent = row.advice;
  $("strength").hidden = !row.veil;
  $("open").hidden = !row.file;
  if (row.file) $("open").href = row.file;
  $("marks").replaceChildren("Your decision: ", ...Object.keys(OWN).map((mark) => {
    const button = node("button", OWN[mark]);
    button.type = "button";
    button.dataset.mark = mark;
    button.setAttribute("aria-pressed", String(own[row.id] === mark));
    button.addEventListener("click", () => decide(mark));
    return button;
  }));
  $("previous").disabled = at === 0;
  $("next").disabled = at === shown.length - 1;
  if (!$("detail").open) $("detail").showModal();
}

function fade() {
  const veil = $("large").querySelector(".veil");
  if (veil) veil.style.opacity = $("fade").value / 100;
}

function decide(mark) {
  const row = shown[at];
  if (own[row.id] === mark) delete own[row.id]; else own[row.id] = mark;
  unsaved = true;
  remember();
  open(at);
}
