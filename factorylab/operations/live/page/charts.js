"use strict";
// Lines and ribbons over one time axis, by uPlot. Which, says the page; what it shades is grey, marks are lines with a
// sign. A ribbon is { title, pieces(partition) → [[from, until, value]], word(value), hollow(value) }, perhaps with
// colour(value), and thin(value): lower than the others.

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const DASHES = { blue: [], orange: [8, 4], green: [2, 3] };
const PALETTE = ["--blue", "--orange", "--green", "--purple", "--sky", "--red"];
const drawn = [];

function xAxis() {
  return {
    stroke: () => css("--soft"), grid: { stroke: () => css("--line"), width: 1 }, ticks: { show: false }, size: 26, space: 70,
    incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600],
    values: (_, splits) => splits.map((at) => (setup.zero_s == null ? clock(at) : `${Math.round(at - setup.zero_s)} s`)),
  };
}

function splitsFrom(zero) {
  return zero == null ? {} : { splits: (u, _, min, max, incr) => {
    const found = [];
    for (let at = zero + Math.ceil((min - zero) / incr) * incr; at <= max; at += incr) found.push(at);
    return found;
  } };
}

/** Times are shaded, marks and the chosen moment are lines; above a line chart each mark has its sign. */
function over(u, signs = true) {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = css("--held");
  for (const [from, until] of view.shaded) {
    const left = u.valToPos(from, "x", true);
    ctx.fillRect(left, bbox.top, Math.max(ratio, u.valToPos(until, "x", true) - left), bbox.height);
  }
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  for (const mark of view.marks) {
    const x = u.valToPos(mark.at_s, "x", true);
    ctx.strokeStyle = ctx.fillStyle = css(BAD.includes(mark.kind) ? "--red" : "--soft");
    line(ctx, x, bbox, BAD.includes(mark.kind) ? [] : [4 * ratio, 4 * ratio], ratio);
    if (signs) ctx.fillText(SIGNS[mark.kind], x + 2 * ratio, bbox.top + 11 * ratio);
  }
  if (!view.following) {
    ctx.strokeStyle = css("--ink");
    line(ctx, u.valToPos(view.moment.at_s, "x", true), bbox, [], 2 * ratio);
  }
  ctx.restore();
}

function line(ctx, x, bbox, dash, width) {
  ctx.setLineDash(dash);
  ctx.lineWidth = width;
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
}

const base = (height, hooks) => ({
  width: 300, height, legend: { show: false }, cursor: { sync: { key: "time" }, drag: { x: false, y: false }, y: false },
  scales: { x: { time: false, range: () => view.range } }, hooks,
});

function figure(title, lines, note = "") {
  const made = element("figure");
  const caption = element("figcaption");
  caption.append(title);
  for (const [name, colour] of lines.length > 1 ? lines : []) {
    const key = element("span");
    key.append(element("i", colour), name);
    caption.append(key);
  }
  const small = element("span");
  small.append(note);
  caption.append(small);
  const room = element("div");
  room.setAttribute("role", "img");
  made.append(caption, room);
  document.getElementById("charts").append(made);
  return room;
}

function makeChart(chart) {
  const room = figure(chart.title, chart.lines, chart.note);
  const options = {
    ...base(180, { draw: [(u) => over(u)] }),
    axes: [{ ...xAxis(), ...splitsFrom(setup.zero_s) }, { stroke: () => css("--soft"), grid: { stroke: () => css("--line"), width: 1 }, size: 58, ticks: { show: false },
      values: (_, splits) => splits.map((v) => (v >= 10000 ? `${v / 1000}k` : v.toLocaleString("en-US"))) }],
    series: [{}, ...chart.lines.map(([name, colour]) => (
      { label: name, stroke: () => css(`--${colour}`), width: 2, dash: DASHES[colour], points: { show: false }, spanGaps: false }))],
  };
  options.scales.y = { range: (_, low, high) => [0, Math.max(high * 1.1 || 0, 1)] };
  const plot = new uPlot(options, [[], ...chart.lines.map(() => [])], room);
  drawn.push({ room, plot, data: () => chart.lines.map(([, , value]) => view.moments.map((m) => value(m) ?? null)),
    text: () => chart.lines.map(([name, , value]) => `${name} ${whole(value(view.moment))}`).join(", "), title: chart.title });
}

/** Pieces of a partition wherever a value does not change; undefined is not known. */
function segments(partition, value) {
  const found = [];
  for (const moment of view.moments) {
    const one = moment.partitions?.find((p) => p.partition === partition);
    const now = one ? value(one) ?? undefined : undefined;
    const last = found.at(-1);
    if (last && last[2] === now) last[1] = moment.at_s;
    else {
      if (last) last[1] = moment.at_s;
      found.push([moment.at_s, moment.at_s, now]);
    }
  }
  return found;
}

function colourOf(ribbon, value) {
  if (ribbon.colour) return css(ribbon.colour(value));
  if (!ribbon.known.includes(value)) ribbon.known.push(value), ribbon.known.sort();
  return css(PALETTE[ribbon.known.indexOf(value) % PALETTE.length]);
}

function drawRibbon(ribbon, u) {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const numbers = (view.moment.partitions ?? []).map((p) => p.partition);
  const height = bbox.height / Math.max(1, numbers.length);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left - 40 * ratio, bbox.top, bbox.width + 40 * ratio, bbox.height);
  ctx.clip();
  ctx.font = `600 ${12 * ratio}px system-ui, sans-serif`;
  [ctx.textBaseline, ctx.textAlign] = ["middle", "left"];
  numbers.forEach((number, row) => {
    const top = bbox.top + row * height + 2 * ratio;
    ctx.fillStyle = css("--soft");
    ctx.fillText(String(number), bbox.left - 16 * ratio, top + height / 2);
    for (const [from, until, value] of ribbon.pieces(number)) {
      const left = Math.max(bbox.left, u.valToPos(from, "x", true));
      const width = Math.min(bbox.left + bbox.width, u.valToPos(until, "x", true)) - left;
      if (width > 0 && value !== undefined) box(ctx, left, top, width, height - 4 * ratio, ribbon, value, ratio);
    }
  });
  ctx.restore();
}

function box(ctx, left, top, width, height, ribbon, value, ratio) {
  const hollow = ribbon.hollow(value);
  const thin = ribbon.thin?.(value) ? height / 3 : 0;
  ctx.fillStyle = hollow ? css("--card") : colourOf(ribbon, value);
  ctx.fillRect(left, top + thin, width, height - 2 * thin);
  ctx.strokeStyle = css("--ink");
  ctx.lineWidth = ratio;
  ctx.setLineDash(hollow ? [3 * ratio, 3 * ratio] : []);
  if (hollow) ctx.strokeRect(left, top, width, height);
  const text = ribbon.word(value);
  ctx.fillStyle = css(hollow ? "--ink" : "--card");
  if (!thin && ctx.measureText(text).width + 8 * ratio < width) ctx.fillText(text, left + 4 * ratio, top + height / 2);
}

/** What a ribbon says of a partition at the moment that is shown. */
function saidBy(ribbon, partition) {
  const at = view.moment.at_s;
  const value = ribbon.pieces(partition).findLast(([from, until]) => from <= at && at <= until)?.[2];
  return value === undefined ? "not known" : ribbon.word(value);
}

function makeRibbon(declared) {
  const ribbon = { ...declared, known: [] };
  const room = figure(declared.title, [], declared.note);
  const height = Math.max(130, 30 + 18 * (view.moment.partitions ?? []).length);
  const options = { ...base(height, { draw: [(u) => drawRibbon(ribbon, u), (u) => over(u, false)] }), series: [{}, {}],
    axes: [{ ...xAxis(), ...splitsFrom(setup.zero_s) }, { size: 58, values: () => [], grid: { show: false }, ticks: { show: false } }] };
  options.scales.y = { range: () => [0, 1] };
  drawn.push({ room, plot: new uPlot(options, [[], []], room), data: () => [view.moments.map(() => null)], title: declared.title,
    text: () => (view.moment.partitions ?? []).map(({ partition }) => `${partition}: ${saidBy(ribbon, partition)}`).join(", ") });
}

function makeCharts() {
  CHARTS.forEach(makeChart);
  RIBBONS.forEach(makeRibbon);
  const sized = new ResizeObserver(() => drawn.forEach(({ room, plot }) => room.clientWidth && plot.setSize({ width: room.clientWidth, height: plot.height })));
  sized.observe(document.getElementById("charts"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(({ plot }) => plot.redraw()));
}

function showCharts() {
  const times = view.moments.map((m) => m.at_s);
  for (const { room, plot, data, text, title } of drawn) {
    plot.setData([times, ...data()]);
    room.setAttribute("aria-label", `${title}; at ${momentText(view.moment.at_s)}: ${text()}`);
  }
}
