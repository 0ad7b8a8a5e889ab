"use strict";
// Numbers and times in words. What is not known is "?", never 0.

const whole = (value) => (value == null ? "?" : Math.round(value).toLocaleString("en-US"));
const seconds = (value) => (value == null ? "?" : value.toFixed(value < 10 ? 1 : 0));
const clock = (at) => new Date(at * 1000).toLocaleTimeString("en-GB");

/** A moment as people read it: the time of day, or in a replayed run the seconds since its steady state. */
function momentText(at) {
  return setup.zero_s == null ? clock(at) : `${(at - setup.zero_s).toFixed(1)} s`;
}

function trendText(lag) {
  if (lag.seconds != null && lag.seconds <= 1) return "● keeps up";
  if (lag.trend_per_s == null) return "";
  if (lag.drain_s != null) return `▼ ${whole(-lag.trend_per_s)}/s · drained in ${seconds(lag.drain_s)} s`;
  if (lag.trend_per_s > 1) return `▲ +${whole(lag.trend_per_s)}/s`;
  return lag.trend_per_s < -1 ? `▼ ${whole(-lag.trend_per_s)}/s` : "● steady";
}

/** With its unit: milliseconds below a second. `bound`: it is an upper bound. */
function latency(tookS, bound) {
  const value = tookS < 1 ? tookS * 1000 : tookS;
  return `${bound ? "≤ " : ""}${value < 10 ? value.toFixed(1) : whole(value)} ${tookS < 1 ? "ms" : "s"}`;
}

/** Set text only where it changed, so that no screen reader reads it again. */
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** As many children as rows; `fill` brings each up to date. Elements stay, and with them the focus. */
function fit(parent, rows, make, fill) {
  while (parent.children.length > rows.length) parent.lastElementChild.remove();
  rows.forEach((row, number) => {
    if (!parent.children[number]) parent.append(make());
    fill(parent.children[number], row);
  });
}

function element(name, className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}
