// A box drawn over a picture and four number fields say the same, whichever is changed.
"use strict";

(() => {
  const drawing = document.getElementById("drawing");
  const drawn = document.getElementById("drawn");
  const sides = ["left", "top", "right", "bottom"].map((name) => document.getElementById(name));
  let start = null;

  function spot(event) {
    const area = drawing.getBoundingClientRect();
    const share = (at, low, size) => Math.min(100, Math.max(0, (100 * (at - low)) / size));
    return [share(event.clientX, area.left, area.width), share(event.clientY, area.top, area.height)];
  }

  function fill(one, other) {
    const [x1, x2] = [one[0], other[0]].sort((a, b) => a - b);
    const [y1, y2] = [one[1], other[1]].sort((a, b) => a - b);
    [x1, y1, x2, y2].forEach((value, number) => { sides[number].value = value.toFixed(1); });
    show();
  }

  function show() {
    const [left, top, right, bottom] = sides.map((side) => side.valueAsNumber);
    const fits = left < right && top < bottom;
    drawn.setAttribute("x", fits ? left : 0);
    drawn.setAttribute("y", fits ? top : 0);
    drawn.setAttribute("width", fits ? right - left : 0);
    drawn.setAttribute("height", fits ? bottom - top : 0);
  }

  drawing.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    drawing.setPointerCapture(event.pointerId);
    start = spot(event);
  });
  drawing.addEventListener("pointermove", (event) => { if (start) fill(start, spot(event)); });
  drawing.addEventListener("pointerup", () => { start = null; });
  drawing.addEventListener("pointercancel", () => { start = null; });
  for (const side of sides) side.addEventListener("input", show);
  show();
})();
