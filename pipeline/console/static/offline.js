// Pages without a line: what was done waits on the phone, is shown, and goes out by itself.
// Without a service worker (plain http, an old browser) none of this is there, and nothing is lost
// but the line.
"use strict";

(() => {
const owner = document.body.dataset.owner || null;
const keptAt = document.body.dataset.keptAt;
const box = document.getElementById("waiting");
const words = box ? box.dataset : {};
const STEP = /^\/tickets\/([^/]+)\/([a-z_]+)$/;
const GIVE_UP_MS = 60000; // a step that got no answer for so long waits on the phone
const AGAIN_MS = 30000;

let mine = []; // what waits of this user, in order
let line = !keptAt; // whether the server has answered lately
let session = true;

// A page that came through the service worker is kept already; the very first one did not.
const through = Boolean(navigator.serviceWorker?.controller);
const worker = navigator.serviceWorker?.register("/service-worker.js")
  .then(() => navigator.serviceWorker.ready).catch(() => null);
const ask = async (said) => (await worker)?.active?.postMessage(said);

const clock = (ms) => new Date(ms).toLocaleString(document.documentElement.lang, {
  timeZone: "Asia/Shanghai", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false,
});
const made = (tag, name, text = "") => {
  const one = document.createElement(tag);
  if (name) one.className = name;
  one.textContent = text;
  return one;
};

// --- what waits, on every page ------------------------------------------------------------------
function row(item) {
  const li = made("li", item.state);
  const what = made("span", "");
  const link = made("a", "", item.name);
  link.href = `/tickets/${encodeURIComponent(item.ticket)}`;
  what.append(made("strong", "", item.label), " ", link, " ", made("small", "", clock(item.done_ms)));
  if (item.note) what.append(made("span", "kept", item.note));
  if (item.photo) {
    const small = made("img", "");
    small.alt = words.photo;
    small.src = URL.createObjectURL(item.photo);
    small.addEventListener("load", () => URL.revokeObjectURL(small.src));
    what.append(small);
  }
  const said = item.state === "held" ? words.why : item.said;
  if (said) what.append(made("span", "reason", said));
  li.append(what, made("span", "state", words[item.state]));
  if (item.state !== "waiting") {
    const away = made("button", "plain", words.remove);
    away.type = "button";
    away.addEventListener("click", async () => {
      if (!confirm(`${words.really}\n${item.label} · ${item.name}\n${item.note}`)) return;
      await Waiting.remove(item.seq);
      await refresh();
    });
    li.append(away);
  }
  return li;
}

async function refresh() {
  if (!box) return;
  const all = await Waiting.everything().catch(() => []);
  mine = all.filter((one) => one.owner === owner);
  const rows = owner ? mine : [];
  box.querySelector("ul").replaceChildren(...rows.map(row));
  box.querySelector(".count").textContent = String(owner ? mine.length : all.length);
  box.querySelector("[data-sign-in]").hidden = session || !owner;
  box.querySelector("[data-others]").hidden = Boolean(owner);
  box.querySelector("[data-send]").hidden = !owner || !mine.some((one) => one.state === "waiting");
  box.hidden = (owner ? mine : all).length === 0;
  marks();
}

// --- a step waits instead of being sent ------------------------------------------------------------
const stepOf = (form) => (form instanceof HTMLFormElement && STEP.exec(new URL(form.action).pathname)) || null;
const last = (ticket) => mine.findLast((one) => one.ticket === ticket && one.state === "waiting");

async function wait(form) {
  const [, ticket, action] = stepOf(form);
  const fields = new FormData(form);
  const photo = fields.get("photo");
  const item = {
    owner, ticket, action,
    label: form.dataset.label, name: form.dataset.name,
    command_id: fields.get("command_id"), version: fields.get("version"),
    after: last(ticket)?.command_id ?? null,
    note: fields.get("note") ?? "", photo: photo instanceof File && photo.size ? photo : null,
    done_ms: Date.now(), state: "waiting", said: "",
  };
  try {
    const all = await Waiting.everything();
    if (!all.some((one) => one.command_id === item.command_id)) await Waiting.add(item);
  } catch {
    return say(words.full, "bad"); // the form stays as it is
  }
  sessionStorage.removeItem(`draft ${ticket} ${action}`);
  navigator.storage?.persist?.().catch(() => {});
  (await worker)?.sync?.register("send").catch(() => {});
  say(`${words.kept}${item.label}`, "good");
  await refresh();
  ask({ what: "send" });
}

function say(text, how) {
  const said = document.getElementById("offline-said");
  said.className = `said ${how}`;
  said.textContent = text;
  said.hidden = false;
}

// Before htmx hears of it: without a line, or after a step that waits already, a step waits too.
document.addEventListener("submit", (event) => {
  const step = stepOf(event.target);
  if (!step || !owner || !worker) return;
  if (line && navigator.onLine && !last(step[1])) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  wait(event.target);
}, true);
document.addEventListener("htmx:configRequest", (event) => {
  if (stepOf(event.detail.elt)) event.detail.timeout = GIVE_UP_MS;
});
const unanswered = (event) => {
  line = false;
  // It may have arrived: sent again with the same command_id, it is taken once.
  const form = event.detail.requestConfig.elt;
  if (stepOf(form) && owner && worker) wait(form);
};
document.addEventListener("htmx:sendError", unanswered);
document.addEventListener("htmx:timeout", unanswered);
document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.successful) return;
  line = true;
  const step = stepOf(event.detail.requestConfig.elt); // no more in the page
  if (!step) return;
  ask({ what: "keep", path: `/tickets/${step[1]}` });
  // What was written for a ticket that had changed has now been sent.
  const old = mine.filter((one) => one.ticket === step[1] && one.action === step[2] && one.state !== "waiting");
  Promise.all(old.map((one) => Waiting.remove(one.seq))).then(refresh);
});

// --- the page says what waits of its tickets ---------------------------------------------------------
function marks() {
  for (const card of document.querySelectorAll("li.card[data-ticket]")) {
    const one = last(card.dataset.ticket);
    const form = card.querySelector("form");
    let badge = card.querySelector(".waits");
    if (form) form.hidden = Boolean(one);
    if (!one) { badge?.remove(); continue; }
    if (!badge) card.append(badge = made("p", "said waits"));
    badge.textContent = `${words.waiting}${words.colon}${one.label}`;
  }
  const ticket = document.querySelector("article[data-ticket]");
  if (ticket) { goOn(ticket); giveBack(ticket); }
}

// After a step that waits, the page offers what may come next, as the table of steps says.
function goOn(ticket) {
  const steps = mine.filter((one) => one.ticket === ticket.dataset.ticket && one.state === "waiting");
  const now = ticket.querySelector(".steps");
  let next = document.getElementById("next");
  if (now) now.hidden = steps.length > 0;
  if (!steps.length) return next?.remove();
  const ahead = JSON.parse(ticket.dataset.ahead);
  const state = steps.reduce((at, one) => ahead[at]?.[one.action] ?? at, ticket.dataset.state);
  const id = steps.at(-1).command_id;
  if (next?.dataset.after === id) return;
  next?.remove();
  next = made("section", "box");
  next.id = "next";
  next.dataset.after = id;
  next.append(made("p", "hint", words.next));
  const later = document.getElementById("later")?.content ?? document.createDocumentFragment();
  for (const action of Object.keys(ahead[state] ?? {})) {
    const path = `${ticket.dataset.at}/${action}`;
    const found = [...(now ? now.querySelectorAll("form") : []), ...later.querySelectorAll("form")]
      .find((form) => form.getAttribute("action") === path);
    if (!found) continue;
    const form = document.importNode(found, true);
    for (const one of form.querySelectorAll("[id]")) one.id = `next-${one.id}`;
    for (const one of form.querySelectorAll("label[for]")) one.htmlFor = `next-${one.htmlFor}`;
    form.elements.command_id.value = crypto.randomUUID();
    if (form.elements.note) form.elements.note.value = "";
    const button = form.querySelector("button");
    button.className = next.querySelector(".big") ? "firm" : "big";
    if (form.elements.note && next.querySelector("form")) {
      const more = made("details", "");
      more.append(made("summary", "", button.textContent), form);
      next.append(more);
    } else {
      next.append(form);
    }
  }
  (now ?? ticket.querySelector("header")).after(next);
  drafts(next);
}

// What was written for a step that could not be taken stands in its form again.
function giveBack(ticket) {
  for (const item of mine) {
    if (item.ticket !== ticket.dataset.ticket || item.state === "waiting" || keptAt) continue;
    const form = ticket.querySelector(`.steps form[action="${ticket.dataset.at}/${item.action}"]`);
    if (!form || form.dataset.given) continue;
    form.dataset.given = "yes";
    if (form.elements.note && !form.elements.note.value) form.elements.note.value = item.note;
    if (form.elements.photo && item.photo) {
      const files = new DataTransfer();
      files.items.add(new File([item.photo], "photo.jpg", { type: item.photo.type }));
      form.elements.photo.files = files.files;
      form.elements.photo.dispatchEvent(new Event("change", { bubbles: true }));
    }
    const around = form.closest("details");
    if (around) around.open = true;
  }
}

// --- signing out: what waits is named before anything goes -----------------------------------------
document.addEventListener("submit", (event) => {
  const form = event.target;
  const out = ["/sign-out", "/account/sign-out-everywhere"].includes(form.getAttribute("action"));
  if (!out || !mine.length || form.dataset.sure) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const dialog = document.getElementById("unsent");
  dialog.querySelector("ul").replaceChildren(...mine.map((one) => made("li", "", `${one.label} · ${one.name} ${one.note}`)));
  dialog.querySelector("[data-delete]").onclick = async () => {
    await Waiting.removeOf(owner);
    form.dataset.sure = "yes";
    form.requestSubmit();
  };
  dialog.querySelector("[data-stay]").onclick = () => { dialog.close(); ask({ what: "send" }); };
  dialog.showModal();
}, true);

// --- a kept page becomes a fresh one, and what was said stays ----------------------------------------
const untouched = () => ![...document.querySelectorAll("main textarea, main input[type=file]")].some((one) => one.value);
const CARRIED = "said before the page was loaded again";

function again() {
  const said = document.getElementById("offline-said");
  if (!said.hidden) sessionStorage.setItem(CARRIED, JSON.stringify([said.textContent, said.className]));
  location.reload();
}

async function freshen() {
  await refresh();
  if (!keptAt || !line || !session) return;
  document.getElementById("kept-reload").hidden = false;
  if (untouched() && !mine.some((one) => one.state === "waiting")) again();
}

const carried = JSON.parse(sessionStorage.getItem(CARRIED) ?? "null");
sessionStorage.removeItem(CARRIED);
if (carried) say(carried[0], carried[1].replace(/^said */, ""));

// --- the line -----------------------------------------------------------------------------------
navigator.serviceWorker?.addEventListener("message", ({ data }) => {
  if (data.what === "line") {
    line = data.line;
    session = !data.line || data.owner !== null;
    if (line && session && data.owner !== owner && owner) return location.reload(); // somebody else by now
  }
  if (data.what === "sent") {
    say(`${words.sent}${data.item.label} · ${data.item.name}${data.clock ? ` ${data.clock}` : ""}`, data.clock ? "" : "good");
    const ticket = document.querySelector("article[data-ticket]");
    if (ticket?.dataset.ticket === data.item.ticket) document.getElementById("stale").hidden = false;
    else if (!keptAt) htmx.trigger(document.body, "changed");
    refresh();
  } else {
    freshen();
  }
});
const trySending = () => { if (owner && mine.some((one) => one.state === "waiting")) ask({ what: "send" }); };
addEventListener("online", () => ask({ what: "send" }));
setInterval(() => { if (document.visibilityState === "visible") keptAt ? ask({ what: "send" }) : trySending(); }, AGAIN_MS);
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-send]")) ask({ what: "send" });
});

// --- what is kept for later -----------------------------------------------------------------------
function keep() {
  if (!owner || keptAt) return;
  const cards = [...document.querySelectorAll("li.card[data-ticket]")].map((one) => ({
    id: one.dataset.ticket, version: one.dataset.version,
    picture: one.querySelector("img")?.getAttribute("src") ?? null,
  }));
  const path = through ? "" : location.pathname;
  ask({ what: "keep", path, tickets: location.pathname === "/queue" ? cards : null });
}
document.addEventListener("htmx:afterSwap", () => { refresh(); if (worker) keep(); });

if (keptAt) {
  const said = document.getElementById("kept");
  said.querySelector("strong").textContent = clock(1000 * Number(keptAt));
  said.hidden = false;
}
if (worker) refresh().then(() => { keep(); if (keptAt) ask({ what: "send" }); else trySending(); });

// --- beside the other apps ------------------------------------------------------------------------
addEventListener("beforeinstallprompt", (event) => {
  const button = document.getElementById("install");
  if (!button) return;
  event.preventDefault();
  button.hidden = false;
  button.onclick = () => { event.prompt(); button.hidden = true; };
});
})();
