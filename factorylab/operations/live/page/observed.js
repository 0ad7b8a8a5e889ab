"use strict";
// The page of an observation: a cluster that others run, seen from outside. There is nothing to break here.

const SOURCE = "the observer";
const SIGNS = { leader: "◆", "ISR shrunk": "▽", "ISR expanded": "△", "broker gone": "✕", "broker silent": "❚❚", "broker back": "✓", group: "⇄", kubernetes: "▶" };
const BAD = ["broker gone", "broker silent"];
const BROKERS = { answers: "● answers", silent: "❚❚ does not answer", refused: "✕ refuses connections", unknown: "? not known" };
const STATES = { observing: "observing", ended: "the observation has ended" };
const UNSEEN = "not observed";
const SERVED = "available";
const told = { outages: [], unseen: [] };

const ofService = (list, service) => list.find((one) => one.service === service);
const ms = (tookS) => (tookS == null ? null : tookS * 1000);
/** Rounded down: an outage is never rounded away. */
const percent = (share) => `${(Math.floor(share * 1e5) / 1e3).toFixed(3)} %`;
const span = ({ start_s: from, end_s: until }) => `${clock(from)} to ${clock(until)}`;

const latencyChart = (service) => ({ title: `Latency of ${service}, ms`, note: "of canaries complete in the last 10 s", lines: [
  ["p50", "blue", (m) => ms(ofService(m.latencies, service).p50_s)], ["p99", "orange", (m) => ms(ofService(m.latencies, service).p99_s)]] });
const CHARTS = [latencyChart("produce"), latencyChart("consume")];

const serviceRibbon = (service) => ({
  title: `${service === "produce" ? "Produce" : "Consume"}, by partition`, note: "thin: available, block: out, dashed: not observed, gap: not judged yet",
  pieces: (number) => [...servedTimes(service, number), ...told.outages.filter((one) => one.service === service && one.partition === number)
    .map((one) => [one.start_s, one.end_s ?? all.at(-1).at_s, one.cause]), ...told.unseen.map((one) => [one.start_s, one.end_s, UNSEEN])],
  word: (value) => (value === SERVED || value === UNSEEN ? value : `out: ${value}`),
  colour: (value) => (value === SERVED ? "--green" : "--red"), thin: (value) => value === SERVED, hollow: (value) => value === UNSEEN,
});
const LEADER = { title: "Leader of each partition", pieces: (number) => segments(number, (p) => p.leader),
  word: (v) => (v === -1 ? "nobody" : `broker ${v}`), hollow: (v) => v === -1 };
const ISR = { title: "In sync, by partition", pieces: (number) => segments(number, (p) => p.isr?.join(" ")), word: (v) => v || "nobody", hollow: (v) => v === "" };
const RIBBONS = [serviceRibbon("produce"), serviceRibbon("consume"), LEADER, ISR];

const availableTile = (service, title) => [`${title}, available`, (m) => ofService(m.levels, service).available, percent, "", (m) => {
  const { outages, out_s: outS } = ofService(m.levels, service);
  return `outages: ${whole(outages)}, ${outS.toFixed(2)} partition-s`;
}];
const budgetTile = (service, title) => [`${title}, error budget used`, (m) => ofService(m.budgets, service).used_s, (v) => v.toFixed(2), "partition-s",
  (m) => `of ${ofService(m.budgets, service).allowed_s.toFixed(2)} partition-s so far`];
const latencyTile = (service, title) => [`${title} latency, p99`, (m) => ofService(m.latencies, service).p99_s, (v) => latency(v), "",
  (m) => { const { p50_s: median } = ofService(m.latencies, service); return median == null ? "" : `p50 ${latency(median)}, last 10 s`; }];
const TILES = [
  availableTile("produce", "Produce"), availableTile("consume", "Consume"), budgetTile("produce", "Produce"), budgetTile("consume", "Consume"),
  latencyTile("produce", "Produce"), latencyTile("consume", "Consume"),
  ["Lost, doubled, reordered", (m) => m.canaries, (c) => `${whole(c.lost)}, ${whole(c.doubled)}, ${whole(c.reordered)}`, "", (m) =>
    `of ${whole(m.canaries.acknowledged)} acknowledged; ${whole(m.canaries.unknown)} unknown`],
  ["Observed", (m) => (m.elapsed_s > 0 ? m.observed_s / m.elapsed_s : null), percent, "", (m) => `${seconds(m.observed_s)} s of ${seconds(m.elapsed_s)} s`],
];

/** Outages and times that were not observed come several times, the latest word counts. Those of the observer are shaded. */
function shadedTimes() {
  const outages = new Map(), unseen = new Map();
  for (const moment of all) {
    for (const one of moment.outages) outages.set(`${one.service} ${one.partition} ${one.start_s}`, one);
    for (const one of moment.unseen) unseen.set(`${one.start_s} ${one.why}`, one);
  }
  told.outages = [...outages.values()].sort((a, b) => a.start_s - b.start_s);
  told.unseen = [...unseen.values()];
  return told.unseen.map((one) => [one.start_s, one.end_s]);
}

/** When a service was there as far as is known, outages included: they are drawn over it. Where no moment came, nothing is known. */
function servedTimes(service, number) {
  const found = [];
  let before = -Infinity;
  for (const { at_s: at, partitions, services } of view.moments) {
    const { known_until_s: until } = services[number + (service === "consume" ? partitions.length : 0)];
    if (at - before <= setup.stale_s) found.at(-1)[1] = Math.max(found.at(-1)[1], until);
    else found.push([Math.min(at, until), until, SERVED]);
    before = at;
  }
  return found;
}

function showBrokers(moment) {
  fit(document.getElementById("nodes"), moment.brokers, () => {
    const made = element("li");
    made.append(element("b"), element("span"));
    return made;
  }, (item, { name, status }) => {
    put(item.children[0], name);
    put(item.children[1], ` ${BROKERS[status]}`);
    item.classList.toggle("bad", status !== "answers");
  });
}

function showVerdict(moment) {
  const open = moment.outages.filter((one) => one.end_s == null && one.start_s <= moment.at_s);
  const goesOn = open.map((one) => `${one.service} of partition ${one.partition} (${one.cause})`).join(", ");
  put(document.getElementById("verdict"), `${moment.verdict}${moment.status === "ended" ? "" : " so far"}: ${moment.because.join("; ")}`);
  put(document.getElementById("out"), goesOn ? `Out now: ${goesOn}` : "No outage goes on.");
  const unseen = told.unseen.findLast((one) => one.start_s <= moment.at_s);
  put(document.getElementById("unseen"), unseen ? `Not observed, last from ${span(unseen)}: ${unseen.why}. It says nothing of the cluster.` : "The observer was at work all the time that is shown.");
  document.getElementById("banner").classList.toggle("held", open.length > 0);
  put(document.getElementById("news"), goesOn ? `Out: ${goesOn}` : "No outage goes on.");
}

function showTables(moment) {
  const count = moment.partitions.length;
  rows("partitions", moment.partitions, ({ partition }) => {
    const of = (name) => (m) => m.partitions[partition]?.[name];
    const cells = [moment.services[partition], moment.services[partition + count]].flatMap((one) => [
      one.available == null ? "?" : percent(one.available), one.out_s.toFixed(2)]);
    return [String(partition), known(of("leader"), "leaders", LEADER.word), known(of("isr"), "leaders", (isr) => isr.join(" ") || "none"), ...cells];
  }, [0, 0, 0, 1, 1, 1, 1]);
  const shown = told.outages.filter((one) => one.start_s <= moment.at_s).slice(-100).reverse();
  rows("outages", shown, (one) => [one.service, String(one.partition), clock(one.start_s), one.start_error_s.toFixed(2),
    one.end_s == null ? "goes on" : clock(one.end_s) + (one.ends_seen ? "" : " or later"), one.lasted_s.toFixed(2), one.cause], [0, 0, 0, 1, 0, 1, 0]);
  put(document.getElementById("group"), moment.group ? `Group: ${moment.group}` : "");
}

function showPanels(moment) {
  put(document.getElementById("subject"), moment.subject);
  const pill = document.getElementById("lab");
  put(pill, STATES[moment.status]);
  pill.className = `pill ${moment.status === "ended" ? "ended" : "up"}`;
  showTiles(moment);
  showBrokers(moment);
  showVerdict(moment);
  showTables(moment);
  showMarks();
}
