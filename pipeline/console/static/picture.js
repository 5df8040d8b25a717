// The newest picture of a camera and its age. Boxes make pictures when somebody asks: the first may
// take some seconds, so it is asked for again. data-every: and then a newer one after so many seconds.
"use strict";

const AGAIN_MS = 2000, PATIENCE = 10, MOST_S = 90;

for (const image of document.querySelectorAll(".camera-picture")) {
  const said = document.querySelector(".taken").dataset, line = document.querySelector(".taken");
  const sheet = image.closest(".shot");
  let tag = null, takenAt = null, old = null, tries = 0, timer = null;

  const age = () => {
    if (takenAt === null) return;
    const seconds = Math.max(0, Math.round((performance.now() - takenAt) / 1000));
    line.textContent = seconds < 3 ? said.now : seconds <= MOST_S ? said.ago.replace("{}", seconds)
      : said.old.replace("{}", Math.round(seconds / 60));
  };

  async function ask() {
    clearTimeout(timer);
    const answer = await fetch(image.dataset.url, { cache: "no-cache" }).catch(() => null);
    if (answer?.ok && answer.headers.get("ETag") !== tag) {
      tag = answer.headers.get("ETag");
      takenAt = performance.now() - Number(answer.headers.get("X-Age-S") || 0) * 1000;
      const fresh = URL.createObjectURL(await answer.blob());
      image.src = fresh;
      if (old) URL.revokeObjectURL(old);
      old = fresh;
      image.hidden = false;
      sheet.classList.remove("lost-picture");
      tries = 0;
    } else if (takenAt === null) {
      image.hidden = true;
      sheet.classList.add("lost-picture");
      line.textContent = ++tries < PATIENCE ? said.asking : said.none;
    }
    age();
    const every = Number(image.dataset.every) * 1000;
    if (takenAt === null && tries < PATIENCE) timer = setTimeout(ask, AGAIN_MS);
    else if (every) timer = setTimeout(ask, every);
  }

  image.dataset.url = image.getAttribute("src");
  ask();
  setInterval(age, 1000);
  const again = document.getElementById("newest");
  if (again) {
    again.hidden = false;
    again.addEventListener("click", ask);
  }
}
