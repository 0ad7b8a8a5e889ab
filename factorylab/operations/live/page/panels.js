"use strict";
// Everything of one moment but its charts.

/** What was known last, and how old it is at the moment; null where nothing ever was. `question` is who tells it: its
 * answer had an age already. */
function lastKnown(value, question) {
  for (let n = view.moments.length - 1; n >= 0; n--) {
    const moment = view.moments[n];
    const found = moment.at_s <= view.moment.at_s ? value(moment) : null;
    if (found != null) return [found, view.moment.at_s - moment.at_s + (moment.ages_s?.[question] ?? 0)];
  }
  return null;
}

/** In words, with its age where it is not of now; "?" where it was never known. */
function known(value, question, words) {
  const [found, age] = lastKnown(value, question) ?? [null, 0];
  if (found == null) return "?";
  return words(found) + (age > setup.stale_s ? ` (${Math.round(age)} s old)` : "");
}

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

/** Which questions are answered, and how old what is shown is. `late_s` passed since the moment itself. */
function showAnswers(moment, lateS) {
  const asked = Object.entries(moment.ages_s ?? {});
  const old = asked.filter(([, age]) => age == null || age + lateS > setup.stale_s);
  fit(document.getElementById("answers"), asked, () => element("li"), (item, [name, age]) => {
    const stale = age == null || age + lateS > setup.stale_s;
    put(item, `${stale ? "⚠" : "✓"} ${name.replace("_", " ")} ${age == null ? "no answer yet" : `${stale ? seconds(age + lateS) : "< 2.5"} s`}`);
    item.classList.toggle("bad", stale);
  });
  const silent = lateS > setup.stale_s ? [`Nothing comes from ${SOURCE}: all of this is ${Math.round(lateS)} s old or older.`] : null;
  const told = silent ?? old.map(([name, age]) => `${age == null ? "no answer yet" : `${Math.round(age + lateS)} s old`}: ${setup.questions[name] ?? name.replace("_", " ")}`);
  put(document.getElementById("unanswered"), told.join(" · ") || (asked.length ? "Every question is answered." : ""));
}

function rows(id, found, cells, numbers) {
  fit(document.querySelector(`#${id} tbody`), found, () => {
    const made = element("tr");
    numbers.forEach((right) => made.append(element("td", right ? "n" : "")));
    return made;
  }, (row, one) => cells(one).forEach((text, number) => put(row.children[number], text)));
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

