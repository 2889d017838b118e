// Tables: made from rows here, sorted by a button in each head, long ones cut until asked for.
const SHOWN = 12;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

// Cells are {text, sort, title, kind, press}: what is shown, what is sorted by, what a hover tells.
function cell(name, given) {
  const { text, sort, title, kind, press } = typeof given === "string" ? { text: given } : given;
  const attributes = { class: kind, title, "data-sort": sort === undefined ? undefined : `${sort}` };
  if (name === "th") attributes.scope = "row";
  if (!press) return element(name, attributes, text);
  const button = element("button", { type: "button" }, text);
  button.addEventListener("click", press);
  return element(name, attributes, button);
}

// Columns are {name, kind}; the first cell of a row names the row. Returns a scrollable region.
function table(caption, columns, rows, foot) {
  const head = columns.map(({ name, kind }) => element("th", { scope: "col", class: kind }, name));
  const body = rows.map(([first, ...rest]) =>
    element("tr", {}, cell("th", first), ...rest.map((given) => cell("td", given))),
  );
  const made = element(
    "table",
    {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...body),
  );
  if (foot) {
    const [first, ...rest] = foot;
    made.append(
      element("tfoot", {}, element("tr", {}, cell("th", first), ...rest.map((given) => cell("td", given)))),
    );
  }
  return element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption }, made);
}

// Put a button that sorts into each head of a table whose rows are there already.
function sortable(made) {
  const heads = [...made.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = element("button", { type: "button" }, head.textContent.trim());
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const isNumber = head.classList.contains("number");
      const was = head.getAttribute("aria-sort");
      const first = isNumber ? "descending" : "ascending";
      const second = isNumber ? "ascending" : "descending";
      sort(made, column, was === first ? second : first);
    });
  });
}

function sort(made, column, order) {
  [...made.tHead.rows[0].cells].forEach((head, n) => {
    if (n === column) head.setAttribute("aria-sort", order);
    else head.removeAttribute("aria-sort");
  });
  const isNumber = made.tHead.rows[0].cells[column].classList.contains("number");
  const rows = [...made.tBodies[0].rows].map((row) => [sortKey(row.cells[column], isNumber), row]);
  const up = order === "ascending" ? 1 : -1;
  rows.sort(([one], [other]) => up * compare(one, other));
  made.tBodies[0].append(...rows.map(([, row]) => row));
  cut(made);
}

// Numbers are whole (BigInt) where they can be, so that amounts are compared exactly.
function sortKey(of, isNumber) {
  const given = of.dataset.sort ?? of.textContent.trim();
  if (!isNumber) return given.toLowerCase();
  if (/^-?\d+$/.test(given)) return BigInt(given);
  return given === "" ? Number.NEGATIVE_INFINITY : Number(given);
}

function compare(one, other) {
  if (typeof one === "string") return one.localeCompare(other, "en", { numeric: true });
  return one < other ? -1 : one > other ? 1 : 0;
}

// Show the first rows of a long table only, until its reader asks for all.
function cut(made) {
  const rows = [...made.tBodies[0].rows].filter((row) => !row.dataset.left);
  const isWhole = made.dataset.whole || rows.length <= SHOWN + 3;
  rows.forEach((row, n) => (row.hidden = !isWhole && n >= SHOWN));
  const region = made.closest(".scroll");
  if (region.nextElementSibling?.matches(".cut")) region.nextElementSibling.remove();
  if (isWhole) return;
  const all = element("button", { type: "button", class: "more" }, `Show all ${rows.length} rows`);
  all.addEventListener("click", () => {
    made.dataset.whole = "yes";
    cut(made);
    region.focus();
  });
  region.after(element("p", { class: "cut" }, `The first ${SHOWN} of ${rows.length} rows. `, all));
}
