"use strict";
// Where the moments come from, and which of them is shown: the latest, or the one that the slider is at.

const KEPT = 1800;
let setup = { questions: {}, stale_s: 2.5, read_only: true };
const all = [];
const view = { moments: [], moment: null, marks: [], shaded: [], range: [0, 1], following: true };
const slider = document.getElementById("at");
let cameAt = 0;

function show() {
  if (!all.length) return;
  slider.max = String(all.length - 1);
  if (view.following) slider.value = slider.max;
  view.moment = all[Number(slider.value)];
  const wide = Number(document.getElementById("window").value);
  const end = view.following ? all.at(-1).at_s : Math.max(view.moment.at_s, Math.min(all.at(-1).at_s, view.moment.at_s + wide / 2));
  const first = Math.min(all[0].at_s, end - 20);
  view.range = wide ? [Math.max(first, end - wide), end] : [all[0].at_s, all.at(-1).at_s];
  view.moments = all.filter((m) => m.at_s >= view.range[0] - 1 && m.at_s <= view.range[1] + 1);
  view.marks = all.flatMap((m) => m.marks ?? []);
  view.shaded = shadedTimes();
  put(document.getElementById("at-text"), momentText(view.moment.at_s));
  slider.setAttribute("aria-valuetext", momentText(view.moment.at_s));
  document.getElementById("follow").disabled = view.following;
  document.querySelector("main").classList.remove("waiting");
  showPanels(view.moment);
  showCharts();
  showAge();
}

/** How old what is shown is, also while nothing comes any more. */
function showAge() {
  if (!view.moment) return;
  const lateS = setup.zero_s == null && view.following ? Math.max(0, performance.now() / 1000 - cameAt) : 0;
  const silent = lateS > setup.stale_s;
  const text = !view.following || setup.zero_s != null ? `shown: ${momentText(view.moment.at_s)}`
    : silent ? `${SOURCE} is silent for ${Math.round(lateS)} s` : `as of ${clock(view.moment.at_s)}`;
  put(document.getElementById("as-of"), text);
  showAnswers(view.moment, lateS);
}

function take(moments) {
  all.push(...moments);
  all.splice(0, all.length - KEPT * (setup.zero_s == null ? 1 : Infinity));
  if (!view.following) slider.value = String(Math.max(0, all.indexOf(view.moment)));
  cameAt = performance.now() / 1000;
  show();
  if (!drawn.length && all.length) requestAnimationFrame(drawFirst);
}

/** The numbers come first, the charts with the next frame. */
function drawFirst() {
  if (drawn.length) return;
  makeCharts();
  show();
}

slider.oninput = () => {
  view.following = setup.zero_s == null && slider.value === slider.max;
  show();
};
document.getElementById("follow").onclick = () => { view.following = true; show(); };
document.getElementById("window").onchange = show;

async function learn() {
  setup = { ...setup, ...await (await fetch("setup")).json() };
  if (!setup.kinds) return;
  makeActions();
  if (!Object.keys(setup.kinds).length) setTimeout(learn, 2000);
}

function live() {
  learn();
  const source = new EventSource("moments");
  source.addEventListener("kept", (event) => { all.length = 0; take(JSON.parse(event.data)); });
  source.addEventListener("moment", (event) => take([JSON.parse(event.data)]));
  setInterval(showAge, 500);
}

function replay(kept) {
  setup = { ...setup, ...kept.setup };
  put(document.getElementById("mode"), "replay");
  document.getElementById("window").value = "0";
  document.getElementById("follow").hidden = true;
  view.following = false;
  take(kept.moments);
  const broken = all.filter((m) => m.faults);
  slider.value = String(broken.length ? all.indexOf(broken[broken.length >> 1]) : all.length - 1);
  show();
}

/** In a frame: whoever shows it has the moments. */
function fed(given) {
  setup = { ...setup, ...given };
  addEventListener("message", ({ source, data }) => { if (source === parent && data.length) take(data.map((text) => JSON.parse(text))); });
  setInterval(showAge, 500);
}

const kept = JSON.parse(document.getElementById("kept")?.textContent ?? "null");
if (kept?.setup.fed) fed(kept.setup);
else if (kept) replay(kept);
else live();
