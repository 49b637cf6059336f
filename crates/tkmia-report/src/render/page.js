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
for (const filter of document.querySelectorAll("input[type=search]")) {
  const rows = filter.closest("section").querySelector("table.results").tBodies[0].rows;
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
}
// A click on a name in the legend hides its curve, or shows it again.
for (const key of document.querySelectorAll(".series .key")) {
  key.setAttribute("tabindex", "0");
  key.setAttribute("role", "button");
  key.setAttribute("aria-pressed", "true");
  const toggle = () => {
    const off = key.closest(".series").classList.toggle("off");
    key.setAttribute("aria-pressed", String(!off));
  };
  key.addEventListener("click", toggle);
  key.addEventListener("keydown", (event) => { if (event.key === "Enter") toggle(); });
}
