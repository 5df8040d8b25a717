// A picture on which points are put, moved and taken out: by pointer, finger and keyboard.
// Points are shares of the picture, 0 to 1. What they mean, the page's own script knows.
"use strict";

const NS = "http://www.w3.org/2000/svg";
const WIDTH = 1000; // units of the drawing across the picture
const STEP = { coarse: 0.01, fine: 0.001 }; // of an arrow key; fine with Shift
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const clamp = (share) => Math.min(1, Math.max(0, share));
const round = (share) => Math.round(clamp(share) * 1e5) / 1e5;

function moved([u, v], event) {
  const [across, down] = ARROWS[event.key];
  const step = event.shiftKey ? STEP.fine : STEP.coarse;
  return [round(u + across * step), round(v + down * step)];
}

class Shot {
  // on: put(u, v, event), move(id, u, v), moved(id), pick(id), drop(id), cancel(); all may be absent.
  constructor(root, on) {
    this.root = root;
    this.on = on;
    this.svg = root.querySelector("svg");
    this.image = root.querySelector("img");
    this.handles = new Map();
    this.cross = null;
    this.height = 562.5;
    this.shapes = this.group("shapes");
    this.dots = this.group("dots");
    this.crossing = this.make("path", { class: "crosshair" }, this.svg);
    this.crossing.setAttribute("visibility", "hidden");
    this.size();
    if (this.image.complete) this.size();
    this.image.addEventListener("load", () => this.size());
    new ResizeObserver(() => this.scale()).observe(this.svg);
    this.listen();
    const zoom = document.getElementById("zoom");
    zoom.hidden = false;
    zoom.addEventListener("click", () => {
      const large = root.classList.toggle("large");
      zoom.setAttribute("aria-pressed", String(large));
      if (large) root.scrollTo(root.scrollWidth / 2 - root.clientWidth / 2, 0);
    });
  }

  group(name) { return this.make("g", { class: name }, this.svg); }

  make(tag, attributes, into) {
    const element = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    into.append(element);
    return element;
  }

  size() {
    const { naturalWidth: across, naturalHeight: down } = this.image;
    if (across) this.height = WIDTH * down / across;
    this.aspect = WIDTH / this.height;
    this.svg.setAttribute("viewBox", `0 0 ${WIDTH} ${this.height}`);
    this.scale();
  }

  scale() { // dots keep their size on the screen, whatever that of the picture
    this.unit = WIDTH / Math.max(1, this.svg.clientWidth);
    for (const id of this.handles.keys()) this.place(id);
    this.redraw?.();
  }

  xy([u, v]) { return [u * WIDTH, v * this.height]; }

  uv(event) {
    const box = this.svg.getBoundingClientRect();
    return [round((event.clientX - box.left) / box.width), round((event.clientY - box.top) / box.height)];
  }

  // shapes: [{points, kind, open, selected}]
  draw(shapes) {
    this.shapes.replaceChildren();
    for (const shape of shapes) {
      const points = shape.points.map((point) => this.xy(point).join(",")).join(" ");
      const names = `zone ${shape.kind}${shape.selected ? " selected" : ""}`;
      this.make(shape.open ? "polyline" : "polygon", { class: names, points }, this.shapes);
    }
  }

  // dots: [{id, at, label, text, kind, selected}]; those that stay keep the focus
  dot(dots) {
    const wanted = new Set(dots.map((one) => one.id));
    for (const [id, one] of this.handles) {
      if (!wanted.has(id)) { one.element.remove(); this.handles.delete(id); }
    }
    for (const told of dots) {
      let one = this.handles.get(told.id);
      if (!one) {
        const element = this.make("g", { tabindex: "0", role: "button" }, this.dots);
        element.dataset.id = told.id;
        one = { element, hit: this.make("circle", { class: "hit" }, element), seen: this.make("circle", { class: "seen" }, element), text: null };
        this.handles.set(told.id, one);
      }
      one.told = told;
      one.element.setAttribute("class", `dot ${told.kind || ""}${told.selected ? " selected" : ""}`);
      one.element.setAttribute("aria-label", told.label);
      if (told.selected === undefined) one.element.removeAttribute("aria-pressed");
      else one.element.setAttribute("aria-pressed", String(told.selected));
      if (told.text) {
        one.text ??= this.make("text", {}, one.element);
        one.text.textContent = told.text;
      }
      if (this.dots.children[dots.indexOf(told)] !== one.element && document.activeElement !== one.element) {
        this.dots.insertBefore(one.element, this.dots.children[dots.indexOf(told)] || null);
      }
      this.place(told.id);
    }
  }

  place(id) {
    const { told, hit, seen, text } = this.handles.get(id);
    const [x, y] = this.xy(told.at);
    const sizes = told.kind === "between" ? [14, 5] : told.kind === "close" ? [8, 8] : told.text ? [22, 12] : [22, 8];
    for (const [circle, radius] of [[hit, sizes[0]], [seen, sizes[1]]]) {
      circle.setAttribute("cx", x);
      circle.setAttribute("cy", y);
      circle.setAttribute("r", radius * this.unit);
    }
    if (text) {
      text.setAttribute("x", x);
      text.setAttribute("y", y);
      text.setAttribute("font-size", 14 * this.unit);
    }
  }

  focus(id) { this.handles.get(id)?.element.focus({ preventScroll: true }); }

  listen() {
    let dragged = null;
    const idOf = (event) => event.target.closest?.(".dot")?.dataset.id;
    this.svg.addEventListener("pointerdown", (event) => {
      const id = idOf(event);
      if (id === undefined || event.button) return;
      this.on.pick?.(id);
      if (!this.handles.has(id)) return;
      dragged = { id, from: [event.clientX, event.clientY], moving: false };
      this.svg.setPointerCapture(event.pointerId);
    });
    this.svg.addEventListener("pointermove", (event) => {
      if (!dragged) return;
      const far = Math.hypot(event.clientX - dragged.from[0], event.clientY - dragged.from[1]);
      dragged.moving ||= far > 4;
      if (dragged.moving) this.on.move?.(dragged.id, ...this.uv(event));
    });
    const end = (event) => {
      if (!dragged) return;
      const { id, moving } = dragged;
      dragged = null;
      this.ended = event.timeStamp;
      if (moving) this.on.moved?.(id);
      else this.on.tap?.(id);
      this.focus(id);
    };
    this.svg.addEventListener("pointerup", end);
    this.svg.addEventListener("pointercancel", () => { dragged = null; });
    this.svg.addEventListener("click", (event) => {
      if (idOf(event) !== undefined || event.timeStamp - (this.ended ?? -1e9) < 50 || event.detail === 0) return;
      this.on.put?.(...this.uv(event), event);
    });
    this.svg.addEventListener("keydown", (event) => this.key(event, idOf(event)));
    this.svg.addEventListener("focus", () => this.aim(this.cross || [0.5, 0.5]));
    this.svg.addEventListener("blur", () => this.crossing.setAttribute("visibility", "hidden"));
  }

  key(event, id) {
    const arrow = event.key in ARROWS, put = event.key === "Enter" || event.key === " ";
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") { this.on.cancel?.(); return; }
    if (!arrow && !put && !(id !== undefined && (event.key === "Delete" || event.key === "Backspace"))) return;
    event.preventDefault();
    if (id === undefined) {
      if (arrow) this.aim(moved(this.cross || [0.5, 0.5], event));
      else this.on.put?.(...(this.cross || [0.5, 0.5]), event);
    } else if (arrow) {
      const at = this.handles.get(id).told.at;
      this.on.pick?.(id);
      this.on.move?.(id, ...moved(at, event));
      this.on.moved?.(id);
    } else if (put) {
      this.on.pick?.(id);
      this.on.tap?.(id);
    } else this.on.drop?.(id);
  }

  aim(at) { // the cross that arrow keys move
    this.cross = at;
    const [x, y] = this.xy(at), arm = 18 * this.unit;
    this.crossing.setAttribute("d", `M${x - arm} ${y}H${x + arm}M${x} ${y - arm}V${y + arm}`);
    this.crossing.setAttribute("visibility", this.svg.matches(":focus-visible") ? "visible" : "hidden");
  }
}
