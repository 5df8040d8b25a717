// The map: grids as polygons, cameras by state, open tickets. The list beside it says the same.
"use strict";

const at = document.getElementById("map");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const empty = { type: "FeatureCollection", features: [] };
const english = at.dataset.language === "en";

function points(rows, properties) {
  return {
    type: "FeatureCollection",
    features: rows.filter((row) => row.lon != null).map((row) => ({
      type: "Feature",
      geometry: { type: "Point", coordinates: [row.lon, row.lat] },
      properties: properties(row),
    })),
  };
}

async function ask(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

async function refresh(map) {
  const [tickets, cameras] = await Promise.all([ask("/api/v1/tickets?limit=1000"), ask("/api/v1/cameras")]);
  map.getSource("tickets").setData(points(
    tickets.map((one) => ({ ...one, lon: one.place.lon, lat: one.place.lat })),
    (one) => ({
      id: one.ticket_id, name: english ? one.name_en : one.name_zh, address: one.address,
      severity: one.severity, overdue: one.overdue,
    }),
  ));
  map.getSource("cameras").setData(points(cameras, (one) => ({
    id: one.camera_id, name: one.name || one.camera_id, state: one.state, why: one.why,
  })));
}

function show(...parts) {
  const box = document.getElementById("picked");
  box.replaceChildren(...parts.flatMap((part) => {
    if (typeof part === "string") {
      const line = document.createElement("p");
      line.textContent = part;
      return [line];
    }
    return [part];
  }));
}

function pick({ layer, properties }) {
  if (layer.id === "tickets") {
    const link = document.createElement("a");
    link.className = "button";
    link.href = `/tickets/${encodeURIComponent(properties.id)}`;
    link.textContent = properties.name;
    return show(properties.address, link);
  }
  if (layer.id === "trouble" || layer.id === "live") {
    const link = document.createElement("a");
    link.href = `/cameras/${encodeURIComponent(properties.id)}`;
    link.textContent = properties.name;
    return show(`${properties.id} · ${properties.state}`, properties.why || "", link);
  }
  return show(`${properties.name} · ${properties.code}`);
}

function layers() {
  return [
    { id: "ground", type: "background", paint: { "background-color": colour("--ground") } },
    ...(at.dataset.tiles ? [{ id: "tiles", type: "raster", source: "tiles" }] : []),
    { id: "grids", type: "fill", source: "grids", filter: [">", ["get", "level"], 1],
      paint: { "fill-color": colour("--button"), "fill-opacity": ["case", ["get", "own"], 0.13, 0.03] } },
    { id: "borders", type: "line", source: "grids",
      paint: { "line-color": colour("--field"), "line-width": ["match", ["get", "level"], 1, 2.5, 2, 1.6, 0.8] } },
    { id: "live", type: "circle", source: "cameras", filter: ["==", ["get", "state"], "live"],
      layout: { visibility: "none" },
      paint: { "circle-radius": 4, "circle-color": colour("--good"), "circle-stroke-width": 1, "circle-stroke-color": colour("--paper") } },
    { id: "trouble", type: "circle", source: "cameras", filter: ["!=", ["get", "state"], "live"],
      paint: { "circle-radius": 5, "circle-color": colour("--paper"), "circle-stroke-width": 2.5, "circle-stroke-color": colour("--warning") } },
    { id: "tickets", type: "circle", source: "tickets",
      paint: {
        "circle-radius": ["match", ["get", "severity"], "emergency", 11, 9],
        "circle-color": ["case", ["get", "overdue"], colour("--emergency"), ["match", ["get", "severity"], "emergency", colour("--emergency"), "warning", colour("--warning"), colour("--notice")]],
        "circle-stroke-width": 2.5, "circle-stroke-color": colour("--paper"),
      } },
  ];
}

async function draw() {
  const [west, south, east, north] = at.dataset.bounds.split(" ").map(Number);
  maplibregl.setWorkerUrl(at.dataset.worker);
  const map = new maplibregl.Map({
    container: at, attributionControl: false, bounds: [[west, south], [east, north]],
    fitBoundsOptions: { padding: 14 }, dragRotate: false, pitchWithRotate: false,
    locale: { "NavigationControl.ZoomIn": at.dataset.zoomIn, "NavigationControl.ZoomOut": at.dataset.zoomOut, "Map.Title": at.dataset.title },
    style: {
      version: 8,
      sources: {
        grids: { type: "geojson", data: empty }, cameras: { type: "geojson", data: empty },
        tickets: { type: "geojson", data: empty },
        ...(at.dataset.tiles ? { tiles: { type: "raster", tileSize: 256, tiles: [new URL(at.dataset.tiles, location).href.replaceAll("%7B", "{").replaceAll("%7D", "}")] } } : {}),
      },
      layers: layers(),
    },
  });
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }));
  await new Promise((done) => { map.on("load", done); });
  map.getSource("grids").setData(await ask("/api/v1/grids"));
  await refresh(map);
  const again = () => refresh(map).catch(() => {});
  document.body.addEventListener("changed", again);
  setInterval(again, 60000);
  map.on("click", (event) => {
    const around = [[event.point.x - 8, event.point.y - 8], [event.point.x + 8, event.point.y + 8]];
    const [hit] = map.queryRenderedFeatures(around, { layers: ["tickets", "trouble", "live", "grids"] });
    if (hit) pick(hit);
  });
  for (const box of document.querySelectorAll("[data-layer]")) {
    const set = () => map.setLayoutProperty(box.dataset.layer, "visibility", box.checked ? "visible" : "none");
    box.addEventListener("change", set);
    set();
  }
  at.dataset.drawn = "yes";
}

draw().catch(() => { document.getElementById("nomap").hidden = false; at.hidden = true; });
