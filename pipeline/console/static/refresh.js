// Fetches the page every few seconds and replaces what has changed; says so when it can't.
"use strict";

const EVERY_MS = 3000;

function openOnes(root) {
  return [...root.querySelectorAll("details[open]")].map((one) => one.id);
}

async function refresh() {
  const answer = await fetch("/", { cache: "no-store" });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
  const live = document.getElementById("live");
  for (const id of openOnes(live)) {
    const details = fresh.querySelector("#" + CSS.escape(id));
    if (details) details.open = true;
  }
  live.replaceChildren(...fresh.childNodes);
}

async function loop() {
  try {
    if (!document.hidden) await refresh();
    document.body.classList.remove("stale");
  } catch {
    document.body.classList.add("stale");
  }
  setTimeout(loop, EVERY_MS);
}

setTimeout(loop, EVERY_MS);
