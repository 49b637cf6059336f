"use strict";
// A click on a heading sorts by its column, another one the other way round.
const value = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent;
  const number = Number(text);
  return text.trim() === "" || Number.isNaN(number) ? text : number;
};
const compare = (one, other) => {
  if (typeof one === "number" && typeof other === "number") return one - other;
  // Cells without a number come last.
  if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
  return one.localeCompare(other);
};
for (const heading of document.querySelectorAll("table.sortable th")) {
  heading.tabIndex = 0;
  const sort = () => {
    const table = heading.closest("table");
    const column = heading.cellIndex;
    const descending = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows];
    rows.sort((one, other) => compare(value(one, column), value(other, column)));
    if (descending) rows.reverse();
    table.tBodies[0].append(...rows);
  };
  heading.addEventListener("click", sort);
  heading.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
}
for (const slider of document.querySelectorAll("figure input[type=range]")) {
  const pair = slider.closest("figure").querySelector(".pair");
  slider.addEventListener("input", () => pair.style.setProperty("--at", slider.value + "%"));
}
