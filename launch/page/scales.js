// Axes and smoothing: numbers only, nothing drawn.

/** Exponential moving average without the bias of its start, as TensorBoard has it. */
function smoothed(points, weight) {
  let sum = 0;
  let total = 0;
  return points.map(({ x, y }) => {
    sum = weight * sum + (1 - weight) * y;
    total = weight * total + (1 - weight);
    return { x, y: sum / total };
  });
}

/** {low, high, place, ticks}: place(value) is 0 at the bottom of the axis and 1 at its top. */
function linearScale(low, high, wanted = 5) {
  if (low === high) [low, high] = low === 0 ? [0, 1] : [low - Math.abs(low), low + Math.abs(low)];
  const step = niceStep((high - low) / wanted);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) {
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return { low, high, ticks, place: (value) => (value - low) / (high - low) };
}

/** The same over powers of ten; low must be above 0. */
function logScale(low, high) {
  let [from, to] = [Math.log10(low), Math.log10(high)];
  if (to - from < 0.1) [from, to] = [from - 0.3, to + 0.3];
  const every = Math.max(1, Math.ceil((to - from) / 5));
  const digits = to - from < 1.5 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = Math.floor(from); power <= to; power += 1) {
    if (power % every) continue;
    for (const digit of digits) {
      const value = Number(`${digit}e${power}`);
      if (Math.log10(value) >= from - 1e-9 && Math.log10(value) <= to + 1e-9) ticks.push(value);
    }
  }
  return { low, high, ticks, place: (value) => (Math.log10(value) - from) / (to - from) };
}

/** 1, 2 or 5 times a power of ten, not below what is asked for. */
function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  const digit = [1, 2, 5, 10].find((candidate) => candidate * power >= rough * (1 - 1e-9));
  return digit * power;
}
