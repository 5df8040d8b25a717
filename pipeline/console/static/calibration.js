// Pairs of points: in the picture and on the map. The field "points" of the form holds the whole
// ones, a line each; how well they fit the server says after each change.
"use strict";

(() => {
  const form = document.getElementById("form");
  const edits = form.dataset.edits === "yes";
  const field = document.getElementById("value");
  const box = document.getElementById("points");
  const list = box.querySelector("ol");
  const result = document.getElementById("result");
  const words = box.dataset;
  const ASK_AFTER_MS = 150;
  const DIGITS = 7; // of a degree: a centimetre
  const datum = () => form.querySelector("[name=datum]:checked").value;
  const numbers = (text) => (text.match(/[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?/gi) || []).map(Number);
  let pairs = [], active = null, made = 0, asked = 0, timer = null;

  for (const line of field.value.split("\n")) {
    const told = numbers(line);
    if (told.length === 4) pairs.push({ id: String(made++), uv: told.slice(0, 2), at: told.slice(2) });
    else if (line.trim()) return; // what can't be read stays as text
  }
  document.getElementById("text").hidden = true;
  box.hidden = false;
  const saved = lines();

  const shot = new Shot(document.getElementById("shot"), edits ? {
    put: (u, v) => put("uv", [u, v]),
    pick: choose,
    move(id, u, v) { find(id).uv = [u, v]; choose(id); },
    moved: () => changed(),
    drop,
  } : {});
  shot.redraw = draw;
  const spots = () => pairs.filter((pair) => pair.at).map((pair) => pair.at);
  const map = new MarksMap(document.getElementById("map"), datum(), spots, edits ? {
    put: (lon, lat) => put("at", [near(lon), near(lat)]),
    pick: choose,
    move(id, lon, lat) { find(id).at = [near(lon), near(lat)]; changed(); },
  } : {});

  function near(degrees) { return Number(degrees.toFixed(DIGITS)); }
  function find(id) { return pairs.find((pair) => pair.id === id); }
  function whole() { return pairs.filter((pair) => pair.uv && pair.at); }
  function lines() { return whole().map((pair) => [...pair.uv, ...pair.at].join(" ")).join("\n"); }

  // A spot goes to the pair that still lacks it, else it begins a new pair.
  function put(half, spot) {
    let pair = find(active);
    if (!pair || (pair.uv && pair.at)) pair = pairs.find((one) => !one[half] || !(one.uv && one.at)) || begin();
    pair[half] = spot;
    active = pair.id;
    changed();
  }

  function begin() {
    const pair = { id: String(made++), uv: null, at: null };
    pairs.push(pair);
    return pair;
  }

  function choose(id) { active = id; draw(); }

  function drop(id) {
    pairs = pairs.filter((pair) => pair.id !== id);
    if (active === id) active = null;
    changed();
  }

  function changed() {
    for (const pair of pairs) pair.error = pair.unseen = pair.blamed = undefined;
    draw();
    clearTimeout(timer);
    timer = setTimeout(ask, ASK_AFTER_MS);
  }

  async function ask() {
    const mine = ++asked, these = whole();
    if (these.length < 4) {
      say(these.length || pairs.length ? words.more.replace("{}", String(4 - these.length)) : "");
      return;
    }
    const body = new URLSearchParams({ csrf: form.elements.csrf.value, points: lines(), datum: datum(), aspect: shot.aspect });
    const answer = await fetch(`${form.getAttribute("action")}/check`, { method: "POST", body, headers: { Accept: "application/json" } }).catch(() => null);
    if (mine !== asked) return; // something newer is asked
    if (!answer?.ok) { say(document.getElementById("lost").dataset.said, true); return; }
    const told = await answer.json();
    these.forEach((pair, number) => {
      pair.error = told.errors?.[number];
      pair.unseen = told.unseen?.[number];
      pair.blamed = told.point === number + 1;
    });
    say(told.problem || told.said, Boolean(told.problem), Boolean(told.said) && !told.proves_nothing);
    draw();
  }

  function say(text, bad = false, good = false) {
    result.textContent = text;
    result.hidden = !text;
    result.className = `said${bad ? " bad" : good ? " good" : ""}`;
  }

  function draw() {
    const named = (pair, number) => `${words.point} ${number + 1}`;
    const shown = pairs.map((pair, number) => ({ pair, number }));
    shot.dot(shown.filter(({ pair }) => pair.uv).map(({ pair, number }) => ({
      id: pair.id, at: pair.uv, text: String(number + 1), selected: pair.id === active, label: named(pair, number),
    })));
    map.mark(shown.filter(({ pair }) => pair.at).map(({ pair, number }) => ({
      id: pair.id, at: pair.at, text: String(number + 1), selected: pair.id === active, label: named(pair, number),
    })));
    rows();
    field.value = lines();
    const command = document.getElementById("command");
    if (command) {
      const points = whole().map((pair) => `--point ${[...pair.uv, ...pair.at].join(",")}`).join(" ");
      command.textContent = `${command.dataset.command} --save --datum ${datum()} ${points}`;
    }
  }

  function rows() {
    const template = document.getElementById("pairline").content;
    const worst = Math.max(...whole().map((pair) => pair.error ?? 0));
    for (const line of [...list.children]) if (!find(line.dataset.id)) line.remove();
    pairs.forEach((pair, number) => {
      let line = [...list.children].find((one) => one.dataset.id === pair.id);
      if (!line) {
        line = template.cloneNode(true).firstElementChild;
        line.dataset.id = pair.id;
        wire(line, pair);
        list.append(line);
      }
      line.classList.toggle("selected", pair.id === active);
      const pick = line.querySelector("[data-pick]");
      pick.textContent = String(number + 1);
      pick.setAttribute("aria-label", `${words.point} ${number + 1}`);
      pick.setAttribute("aria-pressed", String(pair.id === active));
      for (const [name, half] of [["uv", pair.uv], ["lonlat", pair.at]]) {
        const input = line.querySelector(`[data-${name}]`);
        if (document.activeElement !== input) input.value = half ? half.join(", ") : "";
      }
      const output = line.querySelector("output"), known = pair.error !== undefined;
      output.textContent = !(pair.uv && pair.at) ? words.half : known
        ? `${words.error} ${pair.error.toFixed(2)} m${pair.unseen == null ? "" : ` · ${words.unseen} ${pair.unseen.toFixed(2)} m`}` : "";
      output.className = known && pair.error === worst && worst > 0.5 ? "worst" : "";
      line.classList.toggle("blamed", Boolean(pair.blamed));
    });
  }

  function wire(line, pair) {
    line.querySelector("[data-pick]").addEventListener("click", () => choose(pair.id));
    line.querySelector("[data-drop]")?.addEventListener("click", () => drop(pair.id));
    for (const [name, half] of [["uv", "uv"], ["lonlat", "at"]]) {
      const input = line.querySelector(`[data-${name}]`), label = input.previousElementSibling;
      input.id = `${name}-${pair.id}`;
      label.htmlFor = input.id;
      input.addEventListener("focus", () => { if (active !== pair.id) choose(pair.id); });
      input.addEventListener("input", () => {
        const told = numbers(input.value);
        find(pair.id)[half] = told.length === 2 ? told : null;
        changed();
      });
    }
  }

  if (edits) {
    document.getElementById("add").addEventListener("click", () => {
      active = begin().id;
      draw();
      list.lastElementChild.querySelector("[data-uv]").focus();
    });
    for (const one of form.querySelectorAll("[name=datum]")) {
      one.addEventListener("change", () => { map.show(datum()); changed(); });
    }
    form.addEventListener("keydown", (event) => { // Enter in a field checks, it doesn't save
      if (event.key === "Enter" && event.target.matches("[data-uv], [data-lonlat]")) event.preventDefault();
    });
    addEventListener("beforeunload", (event) => {
      if (!form.dataset.sent && lines() !== saved) event.preventDefault();
    });
    form.addEventListener("submit", () => { form.dataset.sent = "yes"; });
  }
  draw();
  if (whole().length) ask();
})();
