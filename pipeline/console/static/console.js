// What the pages do beyond links and forms; all of them work without it.
"use strict";

document.documentElement.classList.add("js");

const csrf = () => document.querySelector("meta[name=csrf]");

document.addEventListener("htmx:configRequest", (event) => {
  if (csrf()) event.detail.headers["X-CSRF-Token"] = csrf().content;
});

// --- lost connections -----------------------------------------------------------------------
function lost(is) {
  const banner = document.getElementById("lost");
  banner.textContent = is ? banner.dataset.said : "";
}
document.addEventListener("htmx:sendError", () => lost(true));
document.addEventListener("htmx:timeout", () => lost(true));
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.xhr && event.detail.xhr.status) lost(false);
});

// --- a session that ended while a form was open ----------------------------------------------
let waiting = null; // the form that goes on after signing in

document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status !== 401) return;
  const dialog = document.getElementById("again");
  if (!dialog) return location.reload();
  const source = event.detail.elt;
  waiting = source.tagName === "FORM" ? source : null;
  if (!dialog.open) {
    dialog.showModal();
    document.getElementById("again-password").focus();
  }
});

document.addEventListener("submit", async (event) => {
  if (event.target.id !== "again-form") return;
  event.preventDefault();
  const form = event.target;
  const said = form.querySelector("[role=alert]");
  const answer = await fetch("/sign-in", {
    method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "X-Dialog": "1" },
  }).catch(() => null);
  if (!answer) return lost(true);
  if (answer.status !== 204) {
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    said.textContent = page.querySelector("main .said")?.textContent ?? answer.status;
    said.hidden = false;
    return;
  }
  const token = answer.headers.get("X-CSRF-Token");
  csrf().content = token;
  for (const field of document.querySelectorAll("input[name=csrf]")) field.value = token;
  form.querySelector("[type=password]").value = "";
  document.getElementById("again").close();
  const name = new TextEncoder().encode(document.body.dataset.user);
  const same = answer.headers.get("X-User") === Array.from(name, (b) => b.toString(16).padStart(2, "0")).join("");
  if (!same) return location.reload();
  if (waiting) waiting.requestSubmit();
  waiting = null;
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) document.getElementById("again").close();
});

// --- what is typed outlives a reload -----------------------------------------------------------
function drafts(root) {
  for (const field of root.querySelectorAll("textarea[data-draft]")) {
    const kept = sessionStorage.getItem(`draft ${field.dataset.draft}`);
    if (kept && !field.value) {
      field.value = kept;
      const around = field.closest("details");
      if (around) around.open = true;
    }
  }
}
document.addEventListener("input", (event) => {
  const name = event.target.dataset.draft;
  if (name) sessionStorage.setItem(`draft ${name}`, event.target.value);
});
document.addEventListener("htmx:afterRequest", (event) => {
  // The form itself is gone by now, where it was a part of what was exchanged.
  const field = event.detail.requestConfig.elt.querySelector?.("textarea[data-draft]");
  if (field && event.detail.successful) sessionStorage.removeItem(`draft ${field.dataset.draft}`);
});

// --- photos: a phone's are scaled before they go over a slow line --------------------------------
const LONGEST_PX = 1600;
document.addEventListener("change", async (event) => {
  const field = event.target;
  if (field.type !== "file" || !field.files.length) return;
  const [file] = field.files;
  const shown = document.querySelector(`label.photo[for="${field.id}"]`);
  if (shown) shown.textContent = file.name;
  try {
    const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, LONGEST_PX / Math.max(picture.width, picture.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(picture.width * scale);
    canvas.height = Math.round(picture.height * scale);
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    if (shown) {
      const small = document.createElement("img");
      small.alt = "";
      small.src = URL.createObjectURL(file);
      small.addEventListener("load", () => URL.revokeObjectURL(small.src));
      shown.prepend(small);
    }
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
    if (!blob || blob.size >= file.size) return;
    const box = new DataTransfer();
    box.items.add(new File([blob], "photo.jpg", { type: "image/jpeg" }));
    field.files = box.files;
  } catch { /* not a picture: the server says so */ }
});

// --- distance; the position stays in the browser -------------------------------------------------
let here = null;
const RADIUS_M = 6371008.8;
function metres(lon, lat) {
  const rad = Math.PI / 180;
  const a = Math.sin((lat - here.latitude) * rad / 2) ** 2
    + Math.cos(lat * rad) * Math.cos(here.latitude * rad) * Math.sin((lon - here.longitude) * rad / 2) ** 2;
  return 2 * RADIUS_M * Math.asin(Math.sqrt(a));
}
function distances() {
  if (!here) return;
  for (const one of document.querySelectorAll("[data-lon]")) {
    const field = one.querySelector(".distance");
    const away = metres(Number(one.dataset.lon), Number(one.dataset.lat));
    field.textContent = away < 950 ? `${Math.max(10, Math.round(away / 10) * 10)} m` : `${(away / 1000).toFixed(1)} km`;
    field.hidden = false;
  }
}
function locate() {
  navigator.geolocation.getCurrentPosition((found) => { here = found.coords; drawn(document); }, () => {},
    { maximumAge: 60000, timeout: 15000 });
}
async function near() {
  const button = document.getElementById("near");
  if (!navigator.geolocation || !isSecureContext) return;
  const state = (await navigator.permissions?.query({ name: "geolocation" }).catch(() => null))?.state;
  if (state === "granted" && !here) locate();
  if (button) button.hidden = Boolean(here) || state === "granted" || state === "denied";
}
document.addEventListener("click", (event) => { if (event.target.closest("#near")) locate(); });

// On a phone the menu is wider than the page: show where one is.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

function drawn(root) {
  drafts(root);
  distances();
  near();
}
document.addEventListener("htmx:afterSwap", () => drawn(document));
drawn(document);

// --- live updates ------------------------------------------------------------------------------
const SPREAD_MS = 1500; // many pages that hear of one thing don't ask all at once
if (document.body.dataset.user && window.EventSource) {
  const events = new EventSource("/events");
  events.addEventListener("changed", (event) => {
    const moved = JSON.parse(event.data);
    const ticket = document.querySelector("[data-ticket]");
    if (ticket && moved[ticket.dataset.ticket] > Number(ticket.dataset.steps)) {
      document.getElementById("stale").hidden = false;
    }
    setTimeout(() => htmx.trigger(document.body, "changed"), Math.random() * SPREAD_MS);
  });
  events.addEventListener("open", () => lost(false));
  events.addEventListener("error", () => { if (events.readyState === EventSource.CONNECTING) lost(true); });
  addEventListener("pagehide", () => events.close());
}
