// Keeps the queue and its tickets for when there is no line, and sends what waits when there is one
// again. The server puts the addresses of this version's files, FILES, in front.
"use strict";

importScripts(FILES["offline-store.js"]);

const SHELL = "shell";
const QUEUE = "/queue";
const OFFLINE = "/offline";
const TICKET = /^\/tickets\/[^/]+$/;
const PICTURE = /^\/tickets\/([^/]+)\/(pictures\/\d+\/(annotated|plain|thumb|after)|photos\/\d+)$/;
const SIGNS_OUT = new Set(["/sign-out", "/account/sign-out-everywhere", "/account/password"]);
const PATIENCE_MS = 8000; // then a page that was kept is shown instead
const KEPT_FOR_MS = 3600000; // then a kept page is fetched again, changed or not
const SEND = "send"; // name of the browser's own reminder that there is a line again

const pagesOf = (owner) => `pages ${owner}`;
const isKept = (path) => path === QUEUE || TICKET.test(path);

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const shell = await caches.open(SHELL);
    await shell.addAll([...Object.values(FILES), new Request(OFFLINE, { credentials: "omit" })]);
    await self.skipWaiting();
  })());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    const shell = await caches.open(SHELL);
    const known = new Set([...Object.values(FILES), OFFLINE].map((path) => new URL(path, location).href));
    for (const request of await shell.keys()) {
      if (!known.has(request.url)) await shell.delete(request);
    }
    await self.clients.claim();
  })());
});

// --- whose pages are kept -----------------------------------------------------------------------
async function forget(owner = null) {
  await Waiting.note("owner", owner);
  for (const name of await caches.keys()) {
    if (name.startsWith("pages ") && name !== pagesOf(owner)) await caches.delete(name);
  }
}

// Every answer tells whose session it is; with another's, or none, what was kept goes.
async function learn(answer, path) {
  const owner = answer.headers.get("X-Gridwatch-Owner");
  const nobody = answer.status === 401 || (path === "/sign-in" && answer.ok && !owner);
  if (nobody) await forget();
  else if (owner && owner !== await Waiting.noted("owner")) await forget(owner);
  return owner;
}

async function pages() {
  const owner = await Waiting.noted("owner");
  return owner ? caches.open(pagesOf(owner)) : null;
}

async function keep(path, answer) {
  const owner = answer.headers.get("X-Gridwatch-Owner");
  if (!answer.ok || answer.redirected || !owner || owner !== await Waiting.noted("owner")) return;
  const headers = new Headers(answer.headers);
  headers.set("X-Kept-At", String(Date.now()));
  const cache = await caches.open(pagesOf(owner));
  await cache.put(path, new Response(await answer.blob(), { headers }));
}

async function fetchAndKeep(path) {
  const answer = await fetch(path, { credentials: "same-origin", headers: { "X-Gridwatch-Keep": "1" } });
  await learn(answer, path);
  if (answer.ok) await keep(path, answer);
  return answer.ok;
}

// --- pages --------------------------------------------------------------------------------------
// The body says that it was kept, and when it was made: a page never looks fresher than it is.
async function keptPage(path) {
  const cache = await pages();
  const found = cache && await cache.match(path === "/" ? QUEUE : path);
  if (!found) return null;
  const at = found.headers.get("X-Gridwatch-At");
  const html = (await found.text()).replace("<body", `<body data-kept-at="${Number(at)}"`);
  return new Response(html, { headers: found.headers });
}

async function offlinePage(mark = "") {
  const shell = await caches.open(SHELL);
  const found = await shell.match(OFFLINE);
  if (!found) return Response.error();
  return new Response((await found.text()).replace("<body", `<body ${mark}`), { headers: found.headers });
}

async function show(event, url) {
  const fresh = (async () => {
    const answer = await fetch(event.request);
    if (answer.type !== "opaqueredirect") {
      await learn(answer, url.pathname);
      // A phone that is full shows what it can't keep.
      if (isKept(url.pathname) && !url.search) await keep(url.pathname, answer.clone()).catch(() => {});
    }
    return answer;
  })();
  event.waitUntil(fresh.catch(() => {}));
  const late = new Promise((done) => { setTimeout(done, PATIENCE_MS); });
  const kept = async () => (await keptPage(url.pathname));
  try {
    const first = await Promise.race([fresh, late]);
    return first ?? await kept() ?? await fresh;
  } catch {
    return await kept() ?? offlinePage();
  }
}

// A page asks for a part of itself anew: what it gets is kept too, but never stands in for it.
async function renew(request, url) {
  const answer = await fetch(request);
  await learn(answer, url.pathname);
  if (isKept(url.pathname)) await keep(url.pathname, answer.clone()).catch(() => {});
  return answer;
}

async function signOut(request) {
  await forget();
  return fetch(request).catch(() => offlinePage("data-signing-out"));
}

// --- files and pictures -------------------------------------------------------------------------
async function file(request) {
  const shell = await caches.open(SHELL);
  return await shell.match(request) ?? fetch(request);
}

async function picture(request, url) {
  const cache = await pages();
  if (!cache) return fetch(request);
  const kept = await cache.match(url.pathname);
  if (kept) return kept;
  try {
    const answer = await fetch(request);
    const ticket = PICTURE.exec(url.pathname)[1];
    if (answer.status === 200 && await cache.match(`/tickets/${ticket}`)) {
      await cache.put(url.pathname, answer.clone());
    }
    return answer;
  } catch (error) {
    const small = await cache.match(url.pathname.replace(/annotated$|plain$/, "thumb"));
    if (small) return small;
    throw error;
  }
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (request.method === "POST" && SIGNS_OUT.has(url.pathname)) return event.respondWith(signOut(request));
  if (request.method !== "GET") return;
  if (request.mode === "navigate" && !PICTURE.test(url.pathname)) return event.respondWith(show(event, url));
  if (url.pathname.startsWith("/static/")) return event.respondWith(file(request));
  if (PICTURE.test(url.pathname)) return event.respondWith(picture(request, url));
  if (request.headers.has("HX-Request") && isKept(url.pathname)) event.respondWith(renew(request, url));
});

// --- the queue and its tickets, kept one after the other -------------------------------------------
// Pages of a queue say which tickets are in it; what has left it goes.
async function keepAll(tickets) {
  const cache = await pages();
  if (!cache) return;
  const wanted = new Map(tickets.map((one) => [`/tickets/${one.id}`, one]));
  for (const request of await cache.keys()) {
    const path = new URL(request.url).pathname;
    const ticket = path.split("/").slice(0, 3).join("/");
    if (path !== QUEUE && !wanted.has(ticket)) await cache.delete(request);
  }
  for (const [path, { version, picture: small }] of wanted) {
    const kept = await cache.match(path);
    const old = kept && Date.now() - Number(kept.headers.get("X-Kept-At")) > KEPT_FOR_MS;
    if (!kept || old || kept.headers.get("X-Gridwatch-Version") !== version) {
      if (!await fetchAndKeep(path)) continue;
    }
    if (small && !await cache.match(small)) {
      const answer = await fetch(small, { headers: { "X-Gridwatch-Keep": "1" } });
      if (answer.ok) await cache.put(small, answer);
    }
  }
}

// One after the other: the first page tells whose the rest is.
const keepSoon = (path, tickets) => navigator.locks.request("gridwatch keep", async () => {
  if (isKept(path)) await fetchAndKeep(path);
  if (tickets) await keepAll(tickets);
});

// --- sending what waits -----------------------------------------------------------------------
const tell = async (said) => {
  for (const page of await self.clients.matchAll({ type: "window" })) page.postMessage(said);
};

async function hello() {
  const answer = await fetch(`${OFFLINE}/hello`, { credentials: "same-origin" }).catch(() => null);
  if (answer === null || answer.status >= 500) return { line: false };
  if (answer.status === 401) await forget();
  if (!answer.ok) return { line: true, owner: null };
  return { line: true, ...await answer.json() };
}

async function post(item, csrf) {
  const form = new FormData();
  const fields = { command_id: item.command_id, version: item.version, note: item.note, done_ms: item.done_ms };
  for (const [name, value] of Object.entries(fields)) form.append(name, String(value));
  form.append("told_ms", String(Date.now()));
  if (item.photo) form.append("photo", item.photo, "photo.jpg");
  const path = `${OFFLINE}/tickets/${encodeURIComponent(item.ticket)}/${item.action}`;
  return fetch(path, { method: "POST", body: form, headers: { "X-CSRF-Token": csrf }, credentials: "same-origin" });
}

// Sends one; says whether to go on: "on", "not this ticket", "stop".
async function sendOne(item, me) {
  let answer, said;
  try {
    answer = await post(item, me.csrf);
    said = await answer.json().catch(() => ({}));
  } catch {
    return "stop";
  }
  if (answer.ok && said.done) {
    await Waiting.done(item, said.version);
    await tell({ what: "sent", item: { ticket: item.ticket, label: item.label, name: item.name }, clock: said.clock });
    return "on";
  }
  if (answer.status === 401) return "stop";
  if (answer.status === 403 && (await hello()).csrf !== me.csrf) return "stop"; // another session by now
  if (answer.status >= 500 || answer.status === 429) {
    await Waiting.say(item.seq, said.error ?? "");
    return "not this ticket";
  }
  await Waiting.stopped(item, answer.status === 409 ? "changed" : "refused", said.error ?? String(answer.status));
  await tell({ what: "waiting" });
  return "on";
}

async function sendAll() {
  const me = await hello();
  await tell({ what: "line", line: me.line, owner: me.owner ?? null });
  if (!me.owner) return me.line;
  const left = new Set(); // tickets whose turn has not come
  for (;;) {
    const next = (await Waiting.of(me.owner)).find((one) => one.state === "waiting" && !left.has(one.ticket));
    if (!next) break;
    const went = await sendOne(next, me);
    if (went === "stop") return false;
    if (went !== "on") left.add(next.ticket);
  }
  await tell({ what: "waiting" });
  return left.size === 0;
}

// One at a time, whoever asks: order is kept and nothing goes twice.
const send = () => navigator.locks.request("gridwatch send", sendAll);

self.addEventListener("sync", (event) => {
  if (event.tag !== SEND) return;
  event.waitUntil(send().then((all) => { if (!all) throw new Error("not all was sent"); }));
});

self.addEventListener("message", (event) => {
  const { what, path, tickets } = event.data;
  const work = { send, keep: () => keepSoon(path, tickets) }[what];
  if (work) event.waitUntil(work().catch(() => {}));
});
