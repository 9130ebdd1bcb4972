// Decisions to a CSV and back.
function quoted(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csv() {
  const lines = [["id", "patient", "decision", "gradable"]];
  for (const row of rows) {
    if (own[row.id]) lines.push([row.id, row.patient, own[row.id], GRADABLE[own[row.id]]]);
  }
  return lines.map((line) => line.map(quoted).join(",")).join("\n") + "\n";
}

function save() {
  const link = node("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = "decisions.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  unsaved = false;
}

function cells(text) {
  const lines = [];
  let line = [""];
  let inside = false;
  for (let k = 0; k < text.length; k += 1) {
    const c = text[k];
    if (inside && c === '"' && text[k + 1] === '"') { line[line.length - 1] += c; k += 1; }
    else if (c === '"') inside = !inside;
    else if (!inside && c === ",") line.push("");
    else if (!inside && c === "\n") { lines.push(line); line = [""]; }
    else if (inside || c !== "\r") line[line.length - 1] += c;
  }
  return lines;
}

async function load() {
  const [head, ...body] = cells(await $("file").files[0].text());
  const id = head.indexOf("id");
  const mark = head.indexOf("decision");
  const known = new Set(rows.map((row) => row.id));
  const before = Object.keys(own).length;
  for (const line of body) if (known.has(line[id]) && line[mark] in OWN) own[line[id]] = line[mark];
  remember();
  draw();
  $("count").textContent += `; ${Object.keys(own).length - before} decisions more than before`;
}
