"use strict";
// Everything of one moment but its charts.

const SHAPES = { running: "●", paused: "❚❚", dead: "✕", ended: "○", cut: "✂" };
const LABS = { none: "no lab is up yet", up: "lab is up", ended: "the lab has ended", silent: "the supervisor does not answer", replayed: "a finished run" };
/** What a question was last answered with, and how long before the moment; null where it never was. */
function lastKnown(value) {
  for (let n = view.moments.length - 1; n >= 0; n--) {
    const moment = view.moments[n];
    const found = moment.at_s <= view.moment.at_s ? value(moment) : null;
    if (found != null) return [found, view.moment.at_s - moment.at_s];
  }
  return null;
}

/** In words, with its age where it is not of now; "?" where it was never known. */
function known(value, words) {
  const [found, age] = lastKnown(value) ?? [null, 0];
  if (found == null) return "?";
  return words(found) + (age > 1 ? ` (${Math.round(age)} s old)` : "");
}

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

function showTiles(moment) {
  fit(document.getElementById("tiles"), TILES, () => {
    const made = element("div");
    made.append(element("dt"), element("dd", "big"), element("dd", "under"));
    made.children[1].append(element("span"), element("small"));
    return made;
  }, (tile, [title, value, words, unit, under]) => {
    const unknown = value(moment) == null;
    const last = unknown ? lastKnown(value) : null;
    put(tile.children[0], title);
    put(tile.children[1].children[0], unknown ? "?" : words(value(moment)));
    put(tile.children[1].children[1], unknown ? "not known" : unit);
    tile.children[1].classList.toggle("unknown", unknown);
    put(tile.children[2], last ? `${words(last[0])} ${unit} ${Math.round(last[1])} s ago` : under(moment));
  });
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

/** Which questions are answered, and how old what is shown is. `late_s` passed since the moment itself. */
function showAnswers(moment, lateS) {
  const asked = Object.entries(moment.ages_s ?? {});
  const old = asked.filter(([, age]) => age == null || age + lateS > setup.stale_s);
  fit(document.getElementById("answers"), asked, () => element("li"), (item, [name, age]) => {
    const stale = age == null || age + lateS > setup.stale_s;
    put(item, `${stale ? "⚠" : "✓"} ${name.replace("_", " ")} ${age == null ? "no answer yet" : `${stale ? seconds(age + lateS) : "< 2.5"} s`}`);
    item.classList.toggle("bad", stale);
  });
  const silent = lateS > setup.stale_s ? [`The page's server does not answer: all of this is ${Math.round(lateS)} s old or older.`] : null;
  const told = silent ?? old.map(([name, age]) => `${age == null ? "no answer yet" : `${Math.round(age + lateS)} s old`}: ${setup.questions[name] ?? name.replace("_", " ")}`);
  put(document.getElementById("unanswered"), told.join(" · ") || (asked.length ? "Every question is answered." : ""));
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

function rows(id, found, cells, numbers) {
  fit(document.querySelector(`#${id} tbody`), found, () => {
    const made = element("tr");
    numbers.forEach((right) => made.append(element("td", right ? "n" : "")));
    return made;
  }, (row, one) => cells(one).forEach((text, number) => put(row.children[number], text)));
}

function showTables(moment) {
  rows("partitions", moment.partitions ?? [], ({ partition }) => {
    const of = (name) => (m) => m.partitions?.find((p) => p.partition === partition)?.[name];
    return [String(partition), known(of("leader"), RIBBONS[0].word), known(of("isr"), (isr) => isr.join(" ") || "none"),
      known(of("owner"), RIBBONS[1].word), known(of("lag_records"), whole), known(of("lag_s"), seconds)];
  }, [0, 0, 0, 0, 1, 1]);
  const age = moment.ages_s?.group;
  const old = age > setup.stale_s ? ` (${Math.round(age)} s old)` : "";
  rows("processors", moment.processors ?? [], (p) => [p.name, p.partitions.join(" ") + old, whole(p.stored_per_s), seconds(p.commit_age_s)], [0, 0, 1, 1]);
  rows("alerts", moment.latest_alerts ?? [], (a) => [
    momentText(a.at_s), [a.machine, a.location].filter(Boolean).join(" on "), a.rule, a.severity, a.value == null ? "?" : a.value.toPrecision(4)], [0, 0, 0, 0, 1]);
}

function showMarks() {
  const shown = view.marks.filter((mark) => mark.at_s <= view.moment.at_s).slice(-100).reverse();
  fit(document.getElementById("marks"), shown, () => {
    const made = element("li");
    made.append(element("time"), element("span"));
    return made;
  }, (item, mark) => {
    put(item.children[0], momentText(mark.at_s));
    put(item.children[1], `${SIGNS[mark.kind]} ${mark.text}`);
  });
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
}
