// The page: what its controls show. Its figures are in the element #figures.
const figures = JSON.parse(document.getElementById("figures").textContent);
const levels = figures.levels;
const place = (id) => document.getElementById(id);
const money = (pico) => ({ text: rounded(pico, figures.decimals), title: exact(pico), sort: pico, kind: "number" });
const count = (number) => ({ text: whole.format(number), sort: number, kind: "number" });

function daysOf(from, to) {
  const found = [];
  for (let at = Date.parse(from); at < Date.parse(to); at += 86400000) found.push(new Date(at).toISOString().slice(0, 10));
  return found;
}

// A series is kept as its amounts by day, with a blank between them and nothing for 0.
function unpacked({ name, many, costs, of }) {
  return { name, many, of, costs: costs.split(" ").map((amount) => BigInt(amount || "0")) };
}

const days = daysOf(figures.from, figures.to);
const seriesOf = Object.fromEntries(figures.dimensions.map((dimension) => [dimension.id, dimension.series.map(unpacked)]));
const rows = figures.rows.map((row) => ({
  path: row.slice(0, levels.length).map((n) => figures.names[n]),
  cost: BigInt(row[levels.length]),
  before: BigInt(row[levels.length + 1]),
  calls: row[levels.length + 2],
  errors: row[levels.length + 3],
  input: row[levels.length + 4],
  output: row[levels.length + 5],
}));

// --- Where the reader is: business unit, tenant, app, key -------------------------------------

function here() {
  const path = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  const known = path.every((name, n) => rows.some((row) => row.path[n] === name));
  return known && path.length < levels.length && location.hash.startsWith("#/") ? path : [];
}

function go(path) {
  location.hash = `#/${path.map(encodeURIComponent).join("/")}`;
}

function grouped(path) {
  const found = new Map();
  for (const row of rows) {
    if (!path.every((name, n) => row.path[n] === name)) continue;
    const name = row.path[path.length];
    const sum = found.get(name) ?? { name, cost: 0n, before: 0n, calls: 0, errors: 0, input: 0, output: 0 };
    for (const key of ["cost", "before", "calls", "errors", "input", "output"]) sum[key] += row[key];
    found.set(name, sum);
  }
  return [...found.values()].sort((one, other) => (one.cost < other.cost ? 1 : one.cost > other.cost ? -1 : 0));
}

function showTable(path) {
  const found = grouped(path);
  const sum = total(found.map((row) => row.cost));
  const shown = apportion(found.map((row) => row.cost), figures.decimals);
  const level = levels[path.length];
  const line = (row, cost) => [
    { ...money(row.cost), text: cost },
    { text: percent(row.cost, sum), sort: row.cost, kind: "number" },
    ...(figures.before ? [{ text: change(row.cost, row.before), title: `${exact(row.before)} in ${figures.before}`, sort: row.cost - row.before, kind: "number" }] : []),
    count(row.calls),
    { text: percent(row.errors, row.calls), title: `${whole.format(row.errors)} calls`, sort: row.errors / (row.calls || 1), kind: "number" },
    count(row.input),
    count(row.output),
  ];
  const columns = [level.name, "Cost", "Share", ...(figures.before ? [`Against ${figures.before}`] : []), "Calls", "Failed", "Tokens in", "Tokens out"];
  const deeper = path.length < levels.length - 1;
  const made = table(
    `${level.many}${path.length ? ` of ${path.join(" › ")}` : ""} by cost`,
    columns.map((name, n) => ({ name, kind: n ? "number" : undefined })),
    found.map((row, n) => [
      { text: row.name, press: deeper && !row.isRest ? () => go([...path, row.name]) : undefined },
      ...line(row, rounded(shown[n], figures.decimals)),
    ]),
    ["Total", ...line(
      found.reduce((all, row) => ({ cost: all.cost + row.cost, before: all.before + row.before, calls: all.calls + row.calls, errors: all.errors + row.errors, input: all.input + row.input, output: all.output + row.output }), { cost: 0n, before: 0n, calls: 0, errors: 0, input: 0, output: 0 }),
      rounded(sum, figures.decimals),
    )],
  );
  place("ranked").replaceChildren(made);
  sortable(made.querySelector("table"));
  sort(made.querySelector("table"), 1, "descending");
  return `${found.length} ${found.length === 1 ? level.name.toLowerCase() : level.many.toLowerCase()}, ${exact(sum)}`;
}

function showCrumbs(path) {
  const crumbs = ["All", ...path].map((name, n) =>
    n === path.length ? element("li", { "aria-current": "location" }, name) : element("li", {}, element("button", { type: "button" }, name)),
  );
  crumbs.forEach((crumb, n) => crumb.querySelector("button")?.addEventListener("click", () => go(path.slice(0, n))));
  place("crumbs").replaceChildren(...crumbs);
}

// --- Cost by day -------------------------------------------------------------------------------

// What the chart can divide the place by: all dimensions at the top, below it what lies within.
function divisions(path) {
  if (!path.length) return figures.dimensions.map(({ id }) => ({ id, series: merged(seriesOf[id]) }));
  const within = (id, of) => seriesOf[id].filter((one) => one.of === of);
  const tenants = within("tenant_id", path[0]);
  if (path.length === 1) return [{ id: "tenant_id", series: tenants }];
  // Apps are there by tenant unless they were too many; then their tenant stands for them.
  const apps = within("app_id", path.slice(0, 2).join("/"));
  const own = path.length === 2 ? apps : apps.filter((one) => one.name === path.slice(1, 3).join("/"));
  if (own.length) return [{ id: "app_id", series: own }];
  return [{ id: "tenant_id", series: tenants.filter((one) => one.name === path[1]) }];
}

// A tenant that moved between business units has a series in each; by name it is one.
function merged(series) {
  const found = new Map();
  for (const one of series) {
    const known = found.get(one.name);
    found.set(one.name, known ? { ...known, costs: known.costs.map((cost, day) => cost + one.costs[day]) } : one);
  }
  return [...found.values()];
}

function showChart() {
  const path = here();
  const choices = divisions(path);
  const chosen = document.querySelector("input[name=dimension]:checked").value;
  const { id, series } = choices.find((choice) => choice.id === chosen) ?? choices[0];
  const size = document.querySelector("input[name=step]:checked").value;
  place("dimensions").hidden = choices.length === 1;
  const dimension = figures.dimensions.find((one) => one.id === id);
  const shown = largest(series);
  const sum = total(shown.map((one) => one.sum));
  const of = path.length ? ` of ${path.slice(0, id === "tenant_id" && path.length > 1 ? 2 : 3).join(" › ")}` : "";
  const description = `Cost by ${size} and ${dimension.name.toLowerCase()}${of}: ${exact(sum)} in ${figures.period}`;
  place("chart-title").textContent = description;
  const press = (name) => {
    if (id === "business_unit") go([name]);
    if (id === "tenant_id" && !path.length) go([seriesOf.tenant_id.find((one) => one.name === name)?.of, name].filter(Boolean));
    if (id === "tenant_id" && path.length === 1) go([path[0], name]);
  };
  const leads = ["business_unit", "tenant_id"].includes(id) && path.length < 2;
  draw(place("chart"), description, sum === 0n ? null : stackedBars(days, shown, size), leads ? (bar) => press(bar.name) : undefined);
  place("chart-key").replaceChildren(...shown.map((one, n) => keyEntry(one, one.isRest ? REST : COLOURS[n], leads && !one.isRest && !one.many ? press : undefined)));
  const within = steps(days, size);
  place("chart-data").replaceChildren(
    table(
      `${description}; exact US dollars`,
      [{ name: size[0].toUpperCase() + size.slice(1) }, ...shown.map((one) => ({ name: one.name, kind: "number" })), { name: "Total", kind: "number" }],
      within.map((some) => {
        const amounts = shown.map((one) => total(some.map((day) => one.costs[day])));
        return [days[some[0]], ...[...amounts, total(amounts)].map((pico) => ({ text: exact(pico), kind: "number" }))];
      }),
    ),
  );
  place("chart-data").firstChild.classList.add("tall");
}

function keyEntry({ name, sum }, colour, press) {
  const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  swatch.setAttribute("viewBox", "0 0 12 12");
  swatch.setAttribute("aria-hidden", "true");
  const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [key, value] of Object.entries({ width: 12, height: 12, rx: 2, fill: colour })) box.setAttribute(key, value);
  swatch.append(box);
  const words = `${name} ${rounded(sum, figures.decimals)}`;
  if (!press) return element("li", { title: exact(sum) }, swatch, words);
  const button = element("button", { type: "button", title: exact(sum) }, words);
  button.addEventListener("click", () => press(name));
  return element("li", {}, swatch, button);
}

// --- Budgets -----------------------------------------------------------------------------------

function showBudget() {
  const budget = figures.budgets[Number(place("budget").value)];
  const limit = BigInt(budget.limit);
  const spent = BigInt(budget.spent);
  // What is spent already is spent at the end.
  const forecast = BigInt(budget.forecast) > spent ? BigInt(budget.forecast) : spent;
  const inMonth = daysOf(figures.month.from, figures.month.to);
  const costs = budget.costs.split(" ").map((amount) => BigInt(amount || "0"));
  let left = limit;
  const points = costs.map((cost, n) => ({ day: inMonth[n], left: (left -= cost), kind: "spent" }));
  const ahead = inMonth.length - costs.length;
  if (ahead > 0 && points.length) {
    const last = points[points.length - 1].left;
    const end = limit - forecast;
    for (let n = 0; n <= ahead; n += 1) {
      points.push({ day: inMonth[costs.length - 1 + n], left: last - ((last - end) * BigInt(n)) / BigInt(ahead), kind: "forecast" });
    }
  }
  const outcome = forecast > limit ? `${exact(forecast - limit)} over` : `${exact(limit - forecast)} left`;
  const description = `${budget.name}: budget ${exact(limit)}, spent ${exact(spent)}; by the end of ${figures.month.name}: ${outcome}`;
  draw(place("burn"), description, points.length ? burnDown(points) : null);
  place("burn-title").textContent = description;
  const made = table(
    `What is left of the budget of ${budget.name}, at each day's end; exact US dollars`,
    [{ name: "Day" }, { name: "Left", kind: "number" }, { name: "Known from" }],
    points.map((point) => [point.day, { text: exact(point.left), kind: "number" }, point.kind]),
  );
  made.classList.add("tall");
  place("burn-data").replaceChildren(made);
}

// --- Start -------------------------------------------------------------------------------------

function show(isMove) {
  const path = here();
  showCrumbs(path);
  const said = showTable(path);
  showChart();
  if (!isMove) return;
  place("told").textContent = `${path.length ? path.join(", ") : "All"}: ${said}`;
  place("ranked").querySelector(".scroll").focus();
}

document.querySelectorAll("table.sorted").forEach((made) => {
  sortable(made);
  cut(made);
});
document.querySelectorAll("[data-filter]").forEach((box) =>
  box.addEventListener("change", () => {
    const made = place(box.dataset.filter);
    for (const row of made.tBodies[0].rows) {
      row.dataset.left = box.checked && !row.dataset.near ? "yes" : "";
      row.hidden = Boolean(row.dataset.left);
    }
    cut(made);
  }),
);
if (rows.length) {
  document.querySelectorAll("input[name=dimension], input[name=step]").forEach((input) => input.addEventListener("change", showChart));
  window.addEventListener("hashchange", () => show(true));
  show(false);
}
if (figures.budgets.length) {
  place("budget").addEventListener("change", showBudget);
  showBudget();
}
document.documentElement.dataset.ready = "yes";
