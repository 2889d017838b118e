// Charts by Vega, as SVG: colours are the page's own variables, so that dark mode and paper need
// no other drawing. Each has a table of what it shows behind it.
const COLOURS = [0, 1, 2, 3, 4, 5, 6].map((n) => `var(--c${n})`);
const REST = "var(--c7)";
const CONFIG = {
  background: "transparent",
  font: "system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif",
  view: { stroke: null },
  axis: {
    domainColor: "var(--quiet)", gridColor: "var(--line)", tickColor: "var(--quiet)",
    labelColor: "var(--quiet)", titleColor: "var(--quiet)", labelFontSize: 12, titleFontWeight: 400,
  },
  // What a chart says is in its description and its table; thousands of bars would say nothing.
  aria: false,
};

async function draw(place, description, spec, pressed) {
  place.replaceChildren();
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", description);
  if (!spec) {
    place.append(element("p", { class: "quiet" }, description));
    return;
  }
  const drawn = await vegaEmbed(
    place,
    { ...spec, width: "container", autosize: { type: "fit-x", contains: "padding" }, config: CONFIG },
    { actions: false, ast: true, defaultStyle: false, mode: "vega-lite", renderer: "svg" },
  );
  // The place itself says what it shows.
  place.querySelector("svg").setAttribute("aria-hidden", "true");
  if (pressed) drawn.view.addEventListener("click", (_, item) => item?.datum && pressed(item.datum));
}

// Weeks begin on Monday; a step is named by its first day within the period.
function steps(days, size) {
  const found = new Map();
  days.forEach((day, n) => {
    const date = new Date(`${day}T00:00:00Z`);
    if (size === "week") date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
    const name = size === "month" ? day.slice(0, 7) : date.toISOString().slice(0, 10);
    if (!found.has(name)) found.set(name, []);
    found.get(name).push(n);
  });
  return [...found.values()];
}

// Series are {name, costs}, the largest first; the rest of them is one.
function largest(series) {
  const sums = series.map((one) => ({ ...one, sum: total(one.costs) }));
  sums.sort((one, other) => (one.sum < other.sum ? 1 : one.sum > other.sum ? -1 : 0));
  if (sums.length <= COLOURS.length) return sums;
  const rest = sums.slice(COLOURS.length - 1);
  const costs = rest[0].costs.map((_, day) => total(rest.map((one) => one.costs[day])));
  const name = `${rest.reduce((many, one) => many + (one.many ?? 1), 0)} others`;
  return [...sums.slice(0, COLOURS.length - 1), { name, costs, sum: total(costs), isRest: true }];
}

function stackedBars(days, series, size) {
  const bars = steps(days, size).flatMap((within) =>
    series.map(({ name, costs }, n) => {
      const pico = total(within.map((day) => costs[day]));
      return { day: days[within[0]], name, order: n, usd: Number(pico) / 1e12, cost: exact(pico) };
    }),
  );
  return {
    height: 300,
    data: { values: bars.filter((bar) => bar.usd !== 0) },
    mark: { type: "bar", cursor: "pointer" },
    encoding: {
      x: {
        field: "day", type: "ordinal", title: null, scale: { domain: steps(days, size).map(([n]) => days[n]), paddingInner: 0.15, paddingOuter: 0.1 },
        axis: { labelAngle: 0, labelOverlap: "greedy", labelSeparation: 12, ticks: false, labelExpr: `utcFormat(toDate(datum.value), "${size === "month" ? "%b %Y" : "%b %-d"}")` },
      },
      y: { field: "usd", type: "quantitative", stack: "zero", title: "USD", axis: { format: ",~f", tickCount: 5, domain: false, ticks: false } },
      order: { field: "order" },
      color: {
        field: "name", type: "nominal", legend: null,
        scale: { domain: series.map((one) => one.name), range: series.map((one, n) => (one.isRest ? REST : COLOURS[n])) },
      },
      tooltip: [{ field: "name", title: "what" }, { field: "day", title: size === "day" ? "day" : `${size} of` }, { field: "cost", title: "cost" }],
    },
  };
}

// Points are {day, left, kind}: what is left of a budget at a day's end, "spent" or "forecast".
function burnDown(points) {
  const values = points.map((point) => ({ ...point, usd: Number(point.left) / 1e12, exactly: exact(point.left) }));
  const x = { field: "day", type: "temporal", title: null, timeUnit: "utcyearmonthdate", axis: { format: "%b %-d", grid: false, labelOverlap: "greedy", labelSeparation: 12 } };
  return {
    height: 220,
    layer: [
      {
        data: { values },
        mark: { type: "line", strokeWidth: 2.5, point: { size: 24, filled: true } },
        encoding: {
          x,
          y: { field: "usd", type: "quantitative", title: "USD left", axis: { format: ",~f", tickCount: 5, domain: false, ticks: false } },
          color: { field: "kind", type: "nominal", legend: null, scale: { domain: ["spent", "forecast"], range: ["var(--c0)", "var(--c1)"] } },
          strokeDash: { field: "kind", type: "nominal", legend: null, scale: { domain: ["spent", "forecast"], range: [[1, 0], [6, 4]] } },
          tooltip: [{ field: "day", type: "temporal", title: "end of", format: "%Y-%m-%d" }, { field: "exactly", title: "left" }, { field: "kind", title: "known from" }],
        },
      },
      { data: { values: [{ zero: 0 }] }, mark: { type: "rule", color: "var(--alert)", strokeWidth: 1.5 }, encoding: { y: { field: "zero", type: "quantitative" } } },
    ],
  };
}
