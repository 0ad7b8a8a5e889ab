"use strict";
// The page of a lab: what its charts, ribbons, tiles and sections are made of.

const SOURCE = "the page's server";
const SIGNS = { fault: "✕", heal: "✓", leader: "◆", rebalance: "⇄", node: "●", run: "▶" };
const BAD = ["fault"];
const SHAPES = { running: "●", paused: "❚❚", dead: "✕", ended: "○", cut: "✂" };
const LABS = { none: "no lab is up yet", up: "lab is up", ended: "the lab has ended", silent: "the supervisor does not answer", replayed: "a finished run" };
const CHARTS = [
  { title: "Readings per second", lines: [
    ["offered", "blue", (m) => m.flow?.offered_per_s], ["acknowledged", "orange", (m) => m.flow?.acked_per_s],
    ["stored", "green", (m) => m.flow?.stored_per_s]] },
  { title: "Lag in records", note: "a gap is not known", lines: [["not stored yet", "blue", (m) => m.lag?.records]] },
  { title: "Lag in seconds", note: "a gap is not known", lines: [["worst partition", "blue", (m) => m.lag?.seconds]] },
  { title: "Acknowledgement, p99 in ms", lines: [
    ["from the send", "blue", (m) => (m.flow?.ack_p99_s == null ? null : m.flow.ack_p99_s * 1000)]] },
];
const LEADER = { title: "Leader of each partition", pieces: (number) => segments(number, (p) => p.leader),
  word: (v) => (v === -1 ? "nobody" : `broker-${v}`), hollow: (v) => v === -1 };
const OWNER = { title: "Owner of each partition", pieces: (number) => segments(number, (p) => p.owner), word: (v) => v || "nobody", hollow: (v) => v === "" };
const RIBBONS = [LEADER, OWNER];

const TILES = [
  ["Offered", (m) => m.flow?.offered_per_s, whole, "readings/s", () => ""],
  ["Acknowledged", (m) => m.flow?.acked_per_s, whole, "readings/s", () => ""],
  ["Stored", (m) => m.flow?.stored_per_s, whole, "readings/s", () => ""],
  ["Lag", (m) => m.lag?.records, whole, "records", (m) => trendText(m.lag)],
  ["Lag, worst partition", (m) => m.lag?.seconds, (v) => (view.moment.lag.at_least ? "> " : "") + seconds(v), "s", () => ""],
  ["Ack latency, p99", (m) => m.flow?.ack_p99_s, (v) => latency(v, view.moment.flow.ack_p99_bound), "", () => "of those acknowledged in 10 s"],
  ["Alerts", (m) => m.alerts, whole, "stored", () => ""],
  ["Dead letters", (m) => m.dead_letters, whole, "records", () => ""],
];

/** Shaded is each time in which a fault is held, from its first to its last moment. */
function shadedTimes() {
  const found = [];
  let open = false;
  for (const { at_s: at, faults } of all) {
    if (!faults?.length) open = false;
    else if (open) found.at(-1)[1] = at;
    else open = Boolean(found.push([at - Math.max(...faults.map((f) => Math.min(f.held_s, 1))), at]));
  }
  return found;
}

function showNodes(moment) {
  fit(document.getElementById("nodes"), moment.nodes ?? [], () => {
    const made = element("li");
    made.append(element("b"), element("span"));
    return made;
  }, (item, node) => {
    const gone = moment.lab === "ended" ? "last seen " : "";
    put(item.children[0], `${SHAPES[node.status]} ${node.name}`);
    put(item.children[1], ` ${gone}${node.status}${node.faults ? ` (${node.faults.join(", ")})` : ""}`);
    item.classList.toggle("bad", ["paused", "dead", "cut"].includes(node.status) || Boolean(node.faults));
  });
}

function showFaults(moment) {
  const faults = moment.faults ?? [];
  document.getElementById("banner").classList.toggle("held", faults.length > 0);
  const told = faults.map((f) => `✕ ${f.kind} ${f.node}: held for ${Math.round(f.held_s)} s, ${
    f.left_s == null ? "until who injected it heals it" : `${Math.round(f.left_s)} s remain`}`);
  fit(document.getElementById("faults"), told.length ? told : ["No fault is held."], () => element("p"), put);
}

/** For who listens: what began or ended, without the seconds, which change all the time. */
function showNews(moment) {
  const faults = (moment.faults ?? []).map((f) => `${f.kind} ${f.node} is held`);
  const old = Object.entries(moment.ages_s ?? {}).filter(([, age]) => age > setup.stale_s).map(([name]) => `${name.replace("_", " ")} not answered`);
  put(document.getElementById("news"), [...faults, ...old].join(", ") || "No fault is held, every question is answered.");
}

function showTables(moment) {
  rows("partitions", moment.partitions ?? [], ({ partition }) => {
    const of = (name) => (m) => m.partitions?.find((p) => p.partition === partition)?.[name];
    return [String(partition), known(of("leader"), "leaders", LEADER.word), known(of("isr"), "leaders", (isr) => isr.join(" ") || "none"),
      known(of("owner"), "group", OWNER.word), known(of("lag_records"), "store", whole), known(of("lag_s"), "store", seconds)];
  }, [0, 0, 0, 0, 1, 1]);
  const age = moment.ages_s?.group;
  const old = age > setup.stale_s ? ` (${Math.round(age)} s old)` : "";
  rows("processors", moment.processors ?? [], (p) => [p.name, p.partitions.join(" ") + old, whole(p.stored_per_s), seconds(p.commit_age_s)], [0, 0, 1, 1]);
  rows("alerts", moment.latest_alerts ?? [], (a) => [
    momentText(a.at_s), [a.machine, a.location].filter(Boolean).join(" on "), a.rule, a.severity, a.value == null ? "?" : a.value.toPrecision(4)], [0, 0, 0, 0, 1]);
}

function showPanels(moment) {
  put(document.getElementById("subject"), moment.subject || "nothing is watched yet");
  const pill = document.getElementById("lab");
  put(pill, LABS[moment.lab]);
  pill.className = `pill ${moment.lab}`;
  moment.flow ??= {};
  moment.lag ??= {};
  showTiles(moment);
  showNodes(moment);
  showFaults(moment);
  showNews(moment);
  showTables(moment);
  showMarks();
  showActions(moment);
}
