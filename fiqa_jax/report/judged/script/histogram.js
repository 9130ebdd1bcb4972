// How many photographs have which score.
function histogram() {
  const bins = 40;
  const groups = ["accept", "review", "recapture"];
  const counts = Array.from({ length: bins }, () => ({ accept: 0, review: 0, recapture: 0 }));
  const scored = rows.filter((row) => row.score !== null && row.status === "ok");
  $("histogram").hidden = !scored.length;
  for (const row of scored) counts[Math.min(bins - 1, Math.floor(row.score * bins))][row.group] += 1;
  const most = Math.max(1, ...counts.map((c) => c.accept + c.review + c.recapture));
  const svg = (kind, values) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
    return made;
  };
  const root = svg("svg", { viewBox: "0 0 800 110", preserveAspectRatio: "none", role: "img" });
  root.setAttribute("aria-label", "histogram of scores");
  counts.forEach((count, k) => {
    let top = 90;
    for (const group of groups) {
      const tall = (count[group] / most) * 84;
      top -= tall;
      root.append(svg("rect", { x: k * 20 + 1, y: top, width: 18, height: tall,
        fill: getComputedStyle(document.documentElement).getPropertyValue(`--${group}`) }));
    }
    const hit = svg("rect", { x: k * 20, y: 0, width: 20, height: 92, fill: "transparent",
      class: "bar" });
    const sum = count.accept + count.review + count.recapture;
    const title = svg("title", {});
    title.textContent = `${(k / bins).toFixed(3)} to ${((k + 1) / bins).toFixed(3)}: ${sum}`;
    hit.append(title);
    hit.addEventListener("click", () => {
      $("low").value = k / bins;
      $("high").value = (k + 1) / bins;
      refresh();
    });
    root.append(hit);
  });
  root.append(svg("line", { x1: 0, x2: 800, y1: 90.5, y2: 90.5, stroke: "#8b94a0" }));
  const caption = node("figcaption", "Scores of all judged photographs: 0 (left) best, 1 (right) "
    + "worst; green good enough, yellow to be looked at, red retake. Click a bar to see those.");
  $("histogram").replaceChildren(root, caption);
}
