// The wall and the live view look again while somebody sees them; arrows go on to the next.
"use strict";

(() => {
  const WALL_MS = 5000;
  const VIEW_MS = 1000;
  const STALE_S = 30;
  const english = document.documentElement.lang === "en";

  function ago(seconds) {
    if (seconds < 60) return english ? `${Math.round(seconds)} s ago` : `${Math.round(seconds)} 秒前`;
    const minutes = Math.floor(seconds / 60);
    return english ? `${minutes} min ago` : `${minutes} 分钟前`;
  }

  setInterval(() => {
    const wall = document.getElementById("wall");
    if (wall && document.visibilityState === "visible") htmx.trigger(wall, "look");
  }, WALL_MS);

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const way = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
    const link = way && document.querySelector(`main a[rel=${way}]`);
    if (link) link.click();
  });

  // --- one camera --------------------------------------------------------------------------------
  function watch(room) {
    const view = document.getElementById("view");
    const none = document.getElementById("none");
    const age = document.getElementById("age");
    const freeze = document.getElementById("freeze");
    const at = `/cameras/${encodeURIComponent(room.dataset.camera)}/picture?size=view`;
    let tag = null; // of the picture that is shown
    let taken = null; // when it was taken, by this page's own steady clock
    let shown = null;
    let waits = false;

    function tell() {
      if (taken === null) return;
      const seconds = Math.max(0, (performance.now() - taken) / 1000);
      const old = seconds > STALE_S;
      room.querySelector(".live").classList.toggle("stale", old);
      age.textContent = (old ? `${room.dataset.old} ` : "") + ago(seconds);
    }

    async function show(answer) {
      const picture = URL.createObjectURL(await answer.blob());
      await new Promise((done) => { view.onload = done; view.onerror = done; view.src = picture; });
      if (shown) URL.revokeObjectURL(shown);
      shown = picture;
      tag = answer.headers.get("ETag");
      taken = performance.now() - 1000 * Number(answer.headers.get("X-Age-S"));
      view.hidden = false;
      none.hidden = true;
      if (freeze) {
        const shot = tag.replace(/\D/g, "");
        freeze.href = `/patrol/${encodeURIComponent(room.dataset.camera)}/report?shot=${shot}`;
        freeze.classList.remove("off");
      }
    }

    async function look() {
      if (waits || document.visibilityState !== "visible") return;
      waits = true;
      try {
        const answer = await fetch(at, { cache: "no-store", headers: tag ? { "If-None-Match": tag } : {} });
        if (answer.status === 401) return location.reload();
        if (answer.status === 200) await show(answer);
        else if (answer.status !== 304 && taken === null) {
          none.textContent = answer.status === 404 ? room.dataset.waits : room.dataset.gone;
        }
        lost(false);
      } catch {
        lost(true);
      } finally {
        waits = false;
      }
    }

    look();
    setInterval(look, VIEW_MS);
    setInterval(tell, 500);
    document.addEventListener("visibilitychange", look);
  }

  const room = document.getElementById("watch");
  if (room) watch(room);
})();
