"use strict";
// The buttons: they ask with the page's token, which no other page can read.

async function ask(path, body) {
  const headers = { "x-factorylab-token": setup.token, "content-type": "application/json" };
  const refused = document.getElementById("refused");
  try {
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    const told = await answer.json().catch(async () => ({ error: `refused (${answer.status})` }));
    put(refused, told.error ?? "");
  } catch {
    put(refused, "the page's server does not answer");
  }
}

function options(select, names) {
  fit(select, names, () => element("option"), (option, name) => {
    put(option, name);
    option.value = name;
  });
}

function chooseKinds() {
  const component = document.getElementById("component").value;
  const target = document.getElementById("target");
  options(document.getElementById("kind"), Object.keys(setup.kinds[component] ?? {}));
  target.value = setup.targets[component] ?? "";
  target.disabled = component === "database";
  showEffect();
}

function showEffect() {
  const of = setup.kinds[document.getElementById("component").value] ?? {};
  put(document.getElementById("effect"), of[document.getElementById("kind").value] ?? "");
}

/** Once it is known what the lab can do; it is asked again until a lab is up. */
function makeActions() {
  const able = Object.keys(setup.kinds ?? {}).filter((component) => Object.keys(setup.kinds[component]).length);
  if (setup.read_only || !able.length) return;
  document.getElementById("break").hidden = document.getElementById("heal").hidden = false;
  options(document.getElementById("component"), able);
  document.getElementById("component").onchange = chooseKinds;
  document.getElementById("kind").onchange = showEffect;
  document.getElementById("heal").onclick = () => ask("heal", {});
  document.getElementById("fault").onsubmit = (event) => {
    event.preventDefault();
    const value = (id) => document.getElementById(id).value;
    ask("fault", { component: value("component"), kind: value("kind"), target: value("target"), hold_s: Number(value("hold")) });
  };
  chooseKinds();
}

/** While a run drives the lab, a fault by hand would be no part of its scenario. */
function showActions(moment) {
  const busy = moment.driver != null || moment.lab !== "up";
  const button = document.querySelector("#fault button");
  if (button.disabled !== busy) button.disabled = busy;
  const why = moment.lab !== "up" ? "No lab is up." : `Process ${moment.driver} drives the lab; faults by hand are refused until it is done.`;
  document.getElementById("fault").title = busy ? why : "";
  const said = (moment.said ?? []).join("\n");
  put(document.getElementById("said"), said || (busy ? why : ""));
}
