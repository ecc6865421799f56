"use strict";
// The list of videos: a click on a column's head sorts by it, the search box leaves some. At most as many rows as the page
// says are laid out until all are asked for.
for (const table of document.querySelectorAll("table.sortable")) {
  const [body, ...others] = table.tBodies;
  const search = document.getElementById("search"), count = document.getElementById("count");
  const more = document.getElementById("more");
  let limit = Number(table.dataset.shown);
  let rows = [...table.rows].filter((row) => row.parentNode !== table.tHead).map((element) => ({
    element,
    name: element.cells[0].textContent.toLowerCase().normalize("NFC"),
    values: [...element.cells].map((cell) => cell.dataset.value === undefined ? cell.textContent : +cell.dataset.value),
  }));
  const collator = new Intl.Collator(undefined, { numeric: true });
  const compare = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));

  function show() {
    const words = search ? search.value.toLowerCase().normalize("NFC").split(/\s+/).filter(Boolean) : [];
    const found = rows.filter((row) => words.every((word) => row.name.includes(word)));
    body.replaceChildren(...found.slice(0, limit).map((row) => row.element));
    if (count) count.textContent = words.length ? `${found.length} of ${rows.length} videos` : "";
    more.hidden = found.length <= limit;
    more.textContent = `show all ${found.length}`;
  }

  for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
    head.querySelector("button").addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const sign = rising ? 1 : -1;
      rows.sort((a, b) => sign * compare(a.values[column], b.values[column]));
      show();
    });
  }
  search?.addEventListener("input", show);
  more.addEventListener("click", () => {
    limit = Infinity;
    show();
  });
  for (const other of others) other.remove();
  show();
}
