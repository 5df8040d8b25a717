// Zones drawn on the picture. The field "zones" of the form always holds what is drawn, as JSON.
"use strict";

(() => {
  const words = document.getElementById("zones").dataset;
  const edits = words.edits === "yes";
  const field = document.getElementById("value");
  const say = document.getElementById("say");
  const byId = (id) => document.getElementById(id);
  const percent = (share) => `${(share * 100).toFixed(1)}%`;
  let zones = [], before = [], open = null, chosen = 0, corner = null, saved = "";

  try { zones = JSON.parse(field.value); } catch { return; } // what can't be read stays as text
  if (!Array.isArray(zones) || zones.some((zone) => !Array.isArray(zone?.polygon))) return;
  try { saved = JSON.stringify(JSON.parse(words.listed)); } catch { /* there is no list */ }
  if (byId("text")) byId("text").hidden = true;
  for (const tools of document.querySelectorAll("#zones > .tools")) tools.hidden = false;

  const keep = () => { before.push(JSON.stringify([zones, open])); if (before.length > 100) before.shift(); };
  const here = () => open || zones[chosen];

  const shot = new Shot(byId("shot"), edits ? {
    put(u, v, event) {
      if (open) {
        keep();
        open.polygon.push([u, v]);
        draw();
        return;
      }
      const hit = zones.findLastIndex((zone) => inside([u, v], zone.polygon));
      if (hit >= 0) { choose(hit); return; }
      if (event.type === "keydown") byId("new").click();
    },
    pick(id) {
      if (id.startsWith("+")) return;
      corner = Number(id);
      draw();
    },
    tap(id) {
      if (id.startsWith("+")) { insert(Number(id.slice(1))); return; }
      if (open && Number(id) === 0 && open.polygon.length > 2) finish();
    },
    move(id, u, v) {
      if (id.startsWith("+")) return;
      if (!this.moving) { keep(); this.moving = true; }
      here().polygon[Number(id)] = [u, v];
      draw();
    },
    moved() { this.moving = false; },
    drop(id) { if (!id.startsWith("+")) drop(Number(id)); },
    cancel() { if (open) { open = null; draw(); } },
  } : {});
  shot.redraw = draw;

  function inside([u, v], polygon) {
    let within = false;
    polygon.forEach(([x, y], at) => {
      const [p, q] = polygon[(at + polygon.length - 1) % polygon.length];
      if ((y > v) !== (q > v) && u < (p - x) * (v - y) / (q - y) + x) within = !within;
    });
    return within;
  }

  function insert(at) {
    keep();
    const polygon = here().polygon, [a, b] = [polygon[at], polygon[(at + 1) % polygon.length]];
    polygon.splice(at + 1, 0, [round((a[0] + b[0]) / 2), round((a[1] + b[1]) / 2)]);
    corner = at + 1;
    draw();
    shot.focus(String(corner));
  }

  function drop(at) {
    const polygon = here().polygon;
    if (!open && polygon.length <= 3) { draw(words.few); return; }
    keep();
    polygon.splice(at, 1);
    corner = polygon.length ? Math.max(0, at - 1) : null;
    if (open && !polygon.length) open = null;
    draw();
    if (corner !== null) shot.focus(String(corner));
  }

  function finish() {
    if (open.polygon.length < 3) { draw(words.few); return; }
    keep();
    zones.push(open);
    open = null;
    chosen = zones.length - 1;
    corner = null;
    draw();
  }

  function choose(at) {
    chosen = at;
    corner = null;
    draw();
  }

  function draw(said) {
    const now = here();
    shot.draw([...zones, ...(open ? [open] : [])].map((zone) => ({
      points: zone.polygon, kind: zone.kind, open: zone === open, selected: zone === now,
    })));
    shot.dot(edits && now ? dots(now) : []);
    list();
    field.value = JSON.stringify(zones);
    if (edits) {
      byId("finish").hidden = !open;
      byId("new").hidden = Boolean(open);
      byId("undo").disabled = !before.length;
      byId("drop").disabled = corner === null;
    }
    const command = byId("command");
    if (command) command.textContent = `${command.dataset.command} '${field.value}'`;
    const changed = field.value !== saved ? words.changed : "";
    const state = open ? words.drawing : zones.length ? changed : `${words.none} ${changed}`;
    const text = typeof said === "string" ? said : state;
    if (say.textContent !== text) say.textContent = text;
  }

  function dots(zone) {
    const ends = zone.polygon.map((at, number) => ({
      id: String(number), at, selected: number === corner,
      kind: zone === open && number ? "close" : "", // or no corner could be put near another
      label: `${words.corner} ${number + 1}, ${words.across} ${percent(at[0])}, ${words.down} ${percent(at[1])}`,
    }));
    if (zone === open) return ends;
    return [...ends, ...zone.polygon.map(([u, v], number) => {
      const [p, q] = zone.polygon[(number + 1) % zone.polygon.length];
      return { id: `+${number}`, at: [(u + p) / 2, (v + q) / 2], kind: "between", label: `${words.between} (${number + 1}–${(number + 1) % zone.polygon.length + 1})` };
    })];
  }

  function list() {
    const root = byId("list"), template = byId("line").content;
    while (root.children.length > zones.length) root.lastElementChild.remove();
    while (root.children.length < zones.length) {
      const line = template.cloneNode(true).firstElementChild, number = root.children.length;
      const select = line.querySelector("select");
      select.id = `kind-${number}`;
      line.querySelector("label").htmlFor = select.id;
      line.querySelector("label").textContent = `${words.zone} ${number + 1}`;
      line.querySelector("[data-pick]").addEventListener("click", () => { open = null; choose(number); });
      select.disabled = !edits;
      select.addEventListener("change", () => { keep(); zones[number].kind = select.value; draw(); });
      line.querySelector("[data-drop]")?.addEventListener("click", () => {
        keep();
        zones.splice(number, 1);
        choose(Math.max(0, Math.min(chosen, zones.length - 1)));
        draw(words.removed);
      });
      root.append(line);
    }
    zones.forEach((zone, number) => {
      const line = root.children[number], pick = line.querySelector("[data-pick]");
      pick.textContent = `${words.zone} ${number + 1} · ${zone.polygon.length} ${words.corners}`;
      pick.setAttribute("aria-pressed", String(!open && number === chosen));
      line.querySelector("select").value = zone.kind;
      line.className = zone.kind;
    });
  }

  if (edits) {
    byId("new").addEventListener("click", () => {
      open = { kind: "carriageway", polygon: [] };
      corner = null;
      draw();
      shot.svg.focus({ preventScroll: true });
      shot.root.scrollIntoView({ block: "nearest" });
    });
    byId("finish").addEventListener("click", finish);
    byId("drop").addEventListener("click", () => { if (corner !== null) drop(corner); });
    byId("undo").addEventListener("click", () => {
      const last = before.pop();
      if (last) [zones, open] = JSON.parse(last);
      choose(Math.max(0, Math.min(chosen, zones.length - 1)));
    });
    addEventListener("beforeunload", (event) => {
      if (!byId("form")?.dataset.sent && field.value !== saved) event.preventDefault();
    });
    byId("form")?.addEventListener("submit", () => { byId("form").dataset.sent = "yes"; });
  }
  draw();
})();
