// Two pictures of one place, one over the other, with a border that moves: by pointer, touch and
// keyboard, for it is an input of the browser's own. Without scripts they stand one below the other.
"use strict";

(() => {
  function lay(box) {
    if (box.dataset.laid) return;
    box.dataset.laid = "yes";
    const slider = document.createElement("input");
    slider.type = "range";
    slider.min = "0";
    slider.max = "100";
    slider.value = "50";
    slider.setAttribute("aria-label", box.dataset.label);
    const move = () => {
      box.style.setProperty("--border", `${slider.value}%`);
      slider.setAttribute("aria-valuetext", `${slider.value} % ${box.dataset.before}`);
    };
    slider.addEventListener("input", move);
    box.append(slider);
    box.classList.add("laid");
    move();
  }
  const all = () => document.querySelectorAll(".compare").forEach(lay);
  document.addEventListener("htmx:afterSwap", all);
  all();
})();
