"use strict";
// The address keeps what is chosen: a reload, or a link sent on, shows the same.
const chosen = new URLSearchParams(location.search);
function keep(key, value) {
  if (value) chosen.set(key, value);
  else chosen.delete(key);
  const words = chosen.toString();
  history.replaceState(null, "", location.pathname + (words ? `?${words}` : "") + location.hash);
}
const status = document.getElementById("status");

// Sorting: numbers as numbers, text as text, empty cells last in either direction.
function sort(header, falling) {
  const table = header.closest("table");
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  rows.sort((a, b) => compare(a.cells[header.cellIndex], b.cells[header.cellIndex], falling ? -1 : 1));
  body.append(...rows);
}
for (const button of document.querySelectorAll("table.sortable thead button")) {
  const header = button.parentElement;
  button.addEventListener("click", () => {
    const falling = header.getAttribute("aria-sort") === "ascending";
    sort(header, falling);
    keep(`${header.closest("table").id}.sort`, `${header.cellIndex}${falling ? "-" : "+"}`);
    status.textContent = `Sorted by ${button.textContent.trim()}, ${falling ? "falling" : "rising"}.`;
  });
}
for (const table of document.querySelectorAll("table.sortable")) {
  const [, column, way] = /^(\d+)([+-])$/.exec(chosen.get(`${table.id}.sort`) ?? "") ?? [];
  const header = table.tHead.rows[0].cells[column];
  if (header) sort(header, way === "-");
}
function compare(a, b, direction) {
  const [x, y] = [a.dataset.value, b.dataset.value];
  if (x === "" || y === "") return (x === "") - (y === "");
  const numeric = "number" in a.dataset && "number" in b.dataset;
  return direction * (numeric ? Number(x) - Number(y) : x.localeCompare(y));
}

// Rows by a part of their name, columns by benchmark.
for (const box of document.querySelectorAll(".choose")) {
  const table = document.getElementById(box.dataset.table);
  const [filter, benchmark] = [box.querySelector(".filter"), box.querySelector(".benchmark")];
  const show = () => {
    const part = filter.value.trim().toLowerCase();
    const only = benchmark ? benchmark.value : "";
    const hidden = [...table.tHead.rows[0].cells].map((cell) => only !== "" && (cell.dataset.benchmark ?? only) !== only);
    for (const row of table.rows) [...row.cells].forEach((cell, index) => { cell.hidden = hidden[index]; });
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(part);
    status.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows.`;
  };
  filter.value = chosen.get(`${table.id}.rows`) ?? "";
  filter.addEventListener("input", () => { keep(`${table.id}.rows`, filter.value.trim()); show(); });
  if (benchmark) {
    benchmark.value = chosen.get(`${table.id}.benchmark`) ?? "";
    if (benchmark.selectedIndex < 0) benchmark.value = "";
    benchmark.addEventListener("change", () => { keep(`${table.id}.benchmark`, benchmark.value); show(); });
  }
  show();
}

// Printed, everything is open.
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});

// Pictures: two versions over each other, divided where the slider is.
for (const box of document.querySelectorAll(".compare")) {
  const stage = box.querySelector(".stage");
  const range = box.querySelector(".divide");
  const layers = [...box.querySelectorAll(".layer")];
  const place = (percent) => {
    range.value = percent;
    box.style.setProperty("--left", `${range.value}%`);
  };
  range.addEventListener("input", () => place(range.value));
  const [across, down] = [box.querySelector(".at-x"), box.querySelector(".at-y")];
  const look = (x, y) => {
    [across.value, down.value] = [x, y];
    box.style.setProperty("--at-x", `${across.value}%`);
    box.style.setProperty("--at-y", `${down.value}%`);
  };
  for (const part of [across, down]) part.addEventListener("input", () => look(across.value, down.value));
  const follow = (event) => {
    const frame = stage.getBoundingClientRect();
    place((100 * (event.clientX - frame.left)) / frame.width);
    look(range.value, (100 * (event.clientY - frame.top)) / frame.height);
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) follow(event);
  });
  const sides = ["left", "right"].map((side) => box.querySelector(`select.${side}`));
  const show = () => {
    for (const layer of layers) delete layer.dataset.side;
    // The same version on both sides shows it whole: no divided layer is left then.
    sides.forEach((select, index) => {
      const side = index ? "right" : "left";
      const layer = layers[select.value];
      layer.dataset.side = "side" in layer.dataset ? "whole" : side;
      box.querySelector(`.caption.${side}`).textContent = layer.querySelector("figcaption span").textContent;
    });
  };
  for (const select of sides) select.addEventListener("change", show);
  const difference = box.querySelector(".difference");
  difference.addEventListener("change", () => box.classList.toggle("subtracted", difference.checked));
  const zoom = box.querySelector(".zoom");
  const enlarge = () => {
    box.style.setProperty("--zoom", zoom.value);
    box.classList.toggle("zoomed", zoom.value !== "1");
  };
  zoom.addEventListener("change", enlarge);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || zoom.value === "1") return;
    zoom.value = "1";
    enlarge();
    zoom.focus(); // what had it may be hidden now
    status.textContent = "The whole picture is shown.";
  });
}
