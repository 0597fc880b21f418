"use strict";
// Sorting: numbers as numbers, text as text, empty cells last in either direction.
const sorters = document.querySelectorAll("table.sortable thead button");
for (const button of sorters) {
  button.addEventListener("click", () => {
    const header = button.parentElement;
    const table = header.closest("table");
    const column = header.cellIndex;
    const falling = header.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows];
    rows.sort((a, b) => compare(a.cells[column], b.cells[column], falling ? -1 : 1));
    body.append(...rows);
    document.getElementById("status").textContent =
      `Sorted by ${button.textContent.trim()}, ${falling ? "falling" : "rising"}.`;
  });
}
function compare(a, b, direction) {
  const [x, y] = [a.dataset.value, b.dataset.value];
  if (x === "" || y === "") return (x === "") - (y === "");
  const numeric = "number" in a.dataset && "number" in b.dataset;
  return direction * (numeric ? Number(x) - Number(y) : x.localeCompare(y));
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
  const follow = (event) => {
    const frame = stage.getBoundingClientRect();
    place((100 * (event.clientX - frame.left)) / frame.width);
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
}
