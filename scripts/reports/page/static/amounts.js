// Amounts are BigInt picodollars (1e-12 USD): sums are exact, and only what is shown is rounded.
const whole = new Intl.NumberFormat("en-US");

// "-$1,234.50": all places that are not zero, and at least two.
function exact(pico) {
  const size = pico < 0n ? -pico : pico;
  const places = (size % 10n ** 12n).toString().padStart(12, "0").replace(/0+$/, "");
  return `${pico < 0n ? "-" : ""}$${whole.format(size / 10n ** 12n)}.${places.padEnd(2, "0")}`;
}

// Half up, as finance rounds; what is not zero is not shown as zero.
function rounded(pico, decimals) {
  if (pico === 0n) return "$0.00";
  const unit = 10n ** BigInt(12 - decimals);
  const size = pico < 0n ? -pico : pico;
  const units = (size + unit / 2n) / unit;
  const sign = pico < 0n ? "-" : "";
  if (units === 0n) return `${sign}<$${plain(1n, decimals)}`;
  return `${sign}$${plain(units, decimals)}`;
}

function plain(units, decimals) {
  const scale = 10n ** BigInt(decimals);
  const places = decimals ? `.${(units % scale).toString().padStart(decimals, "0")}` : "";
  return whole.format(units / scale) + places;
}

// Amounts in whole units that add up to their rounded sum, by largest remainder.
function apportion(amounts, decimals) {
  const unit = 10n ** BigInt(12 - decimals);
  const below = amounts.map((amount) => amount - (((amount % unit) + unit) % unit));
  const sum = total(amounts);
  const size = sum < 0n ? -sum : sum;
  const shown = ((size + unit / 2n) / unit) * unit * (sum < 0n ? -1n : 1n);
  let missing = (shown - total(below)) / unit;
  const order = amounts.map((amount, n) => [amount - below[n], n]);
  order.sort((one, other) => (one[0] === other[0] ? one[1] - other[1] : one[0] < other[0] ? 1 : -1));
  for (const [, n] of order) {
    if (missing <= 0n) break;
    below[n] += unit;
    missing -= 1n;
  }
  return below;
}

function total(amounts) {
  return amounts.reduce((sum, amount) => sum + amount, 0n);
}

// A fraction of two whole numbers as a percentage with one place.
function percent(part, of) {
  if (!of) return "–";
  return `${((Number(part) / Number(of)) * 100).toFixed(1)} %`;
}

function change(now, before) {
  if (!before) return now ? "new" : "–";
  const by = (Number(now - before) / Math.abs(Number(before))) * 100;
  return `${by > 0 ? "+" : ""}${by.toFixed(1)} %`;
}
