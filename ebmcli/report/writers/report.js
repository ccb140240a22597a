// Sort a table by the column whose heading is pressed: figures by their number, what has none last.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), table = head.closest("table"), body = table.tBodies[0];
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.querySelectorAll("th")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...body.rows].map((row) => ({ row, cell: row.cells[head.cellIndex] }));
    const figures = rows.some(({ cell }) => cell.dataset.number !== undefined);
    const number = ({ cell }) => (cell.dataset.number === undefined ? NaN : Number(cell.dataset.number));
    rows.sort((a, b) => {
      if (!figures) return (up ? 1 : -1) * a.cell.textContent.localeCompare(b.cell.textContent);
      const [first, second] = [number(a), number(b)];
      if (isNaN(first) || isNaN(second)) return isNaN(first) - isNaN(second);
      return (up ? 1 : -1) * (first - second);
    });
    for (const { row } of rows) body.append(row);
  });
}
