// The map on which marked points are put. Coordinates are those of the datum that was chosen.
"use strict";

const SIGHT_M = 45; // around the camera, at first

class MarksMap {
  // spots(): what shall be seen at first; on: put(lon, lat), move(id, lon, lat), pick(id)
  constructor(root, datum, spots, on) {
    this.root = root;
    root.hidden = false;
    this.on = on;
    this.spots = spots;
    this.markers = new Map();
    this.places = JSON.parse(root.dataset.places || "{}");
    this.datum = datum;
    this.ready = this.draw().catch(() => {
      root.hidden = true;
      document.getElementById("nomap").hidden = false;
      for (const button of document.querySelectorAll("#centre")) button.hidden = true;
    });
  }

  async draw() {
    const { root } = this, [west, south, east, north] = root.dataset.bounds.split(" ").map(Number);
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const tiles = root.dataset.tiles && new URL(root.dataset.tiles, location).href.replaceAll("%7B", "{").replaceAll("%7D", "}");
    const empty = { type: "FeatureCollection", features: [] };
    maplibregl.setWorkerUrl(root.dataset.worker);
    this.map = new maplibregl.Map({
      container: root, attributionControl: false, dragRotate: false, pitchWithRotate: false, maxZoom: 22,
      bounds: [[west, south], [east, north]],
      locale: { "NavigationControl.ZoomIn": root.dataset.zoomIn, "NavigationControl.ZoomOut": root.dataset.zoomOut, "Map.Title": root.dataset.title },
      style: {
        version: 8,
        sources: {
          grids: { type: "geojson", data: empty }, rings: { type: "geojson", data: empty },
          ...(tiles ? { tiles: { type: "raster", tileSize: 256, tiles: [tiles] } } : {}),
        },
        layers: [
          { id: "ground", type: "background", paint: { "background-color": colour("--ground") } },
          ...(tiles ? [{ id: "tiles", type: "raster", source: "tiles" }] : []),
          { id: "borders", type: "line", source: "grids", paint: { "line-color": colour("--field"), "line-width": 1 } },
          { id: "rings", type: "line", source: "rings", paint: { "line-color": colour("--button"), "line-width": 1, "line-dasharray": [4, 4] } },
        ],
      },
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.addControl(new maplibregl.NavigationControl({ showCompass: false }));
    this.map.addControl(new maplibregl.ScaleControl({ maxWidth: 120 }));
    this.map.on("click", (event) => this.on.put?.(event.lngLat.lng, event.lngLat.lat));
    this.map.getCanvas().addEventListener("keydown", (event) => {
      if (event.key === "Enter" && this.on.put) { event.preventDefault(); this.atCentre(); }
    });
    const centre = document.getElementById("centre");
    if (centre) centre.hidden = false;
    centre?.addEventListener("click", () => this.atCentre());
    const answer = await fetch("/api/v1/grids");
    this.grids = answer.ok ? await answer.json() : empty;
    if (!this.map.isStyleLoaded()) await new Promise((done) => { this.map.once("load", done); });
    this.camera = new maplibregl.Marker({ element: this.sign("camera", root.dataset.camera, "") });
    this.show(this.datum);
    root.dataset.drawn = "yes";
  }

  atCentre() {
    const { lng, lat } = this.map.getCenter();
    this.on.put?.(lng, lat);
  }

  sign(kind, label, text) {
    const element = document.createElement("div");
    element.className = `mapmark ${kind}`;
    element.textContent = text;
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", label);
    return element;
  }

  show(datum) { // the borders are in WGS-84: they go along with the camera
    this.datum = datum;
    const at = this.places[datum], wgs = this.places.wgs84;
    if (!this.map || !this.camera || !at) return;
    this.camera.setLngLat(at).addTo(this.map);
    const [east, north] = degrees(at[1]), sight = new maplibregl.LngLatBounds();
    for (const side of [-SIGHT_M, SIGHT_M]) sight.extend([at[0] + side * east, at[1] + side * north]);
    for (const spot of this.spots()) if (near(spot, at)) sight.extend(spot);
    this.map.fitBounds(sight, { padding: 20, animate: false });
    this.map.getSource("rings")?.setData(rings(at));
    this.map.getSource("grids")?.setData(shifted(this.grids, at[0] - wgs[0], at[1] - wgs[1]));
  }

  // marks: [{id, at: [lon, lat], label, text, selected}]
  async mark(marks) {
    await this.ready;
    if (!this.map) return;
    const wanted = new Set(marks.map((one) => one.id));
    for (const [id, marker] of this.markers) if (!wanted.has(id)) { marker.remove(); this.markers.delete(id); }
    for (const told of marks) {
      let marker = this.markers.get(told.id);
      if (!marker) {
        marker = new maplibregl.Marker({ element: this.sign("mark", told.label, told.text), draggable: Boolean(this.on.move) });
        marker.setLngLat(told.at).addTo(this.map);
        marker.on("dragstart", () => this.on.pick?.(told.id));
        marker.on("dragend", () => {
          const { lng, lat } = marker.getLngLat();
          this.on.move?.(told.id, lng, lat);
        });
        marker.getElement().addEventListener("click", (event) => { event.stopPropagation(); this.on.pick?.(told.id); });
        this.markers.set(told.id, marker);
      }
      marker.setLngLat(told.at);
      marker.getElement().classList.toggle("selected", told.selected);
      marker.getElement().setAttribute("aria-label", told.label);
      marker.getElement().textContent = told.text;
    }
  }
}

// Degrees of longitude and of latitude that a metre is.
function degrees(lat) {
  const north = 1 / 111000;
  return [north / Math.cos(lat * Math.PI / 180), north];
}

// Coordinates of another datum lie hundreds of metres off: the map doesn't follow them.
function near([lon, lat], at) { return Math.abs(lon - at[0]) < 0.003 && Math.abs(lat - at[1]) < 0.003; }

// Circles 20, 40 and 80 m around the camera: beyond 80 m nothing is placed by its picture.
function rings([lon, lat]) {
  const [east, north] = degrees(lat);
  const ring = (metres) => Array.from({ length: 73 }, (_, at) => {
    const turn = at * Math.PI / 36;
    return [lon + metres * Math.sin(turn) * east, lat + metres * Math.cos(turn) * north];
  });
  return { type: "FeatureCollection", features: [20, 40, 80].map((metres) => ({
    type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: ring(metres) },
  })) };
}

function shifted(collection, east, north) {
  const move = (part) => typeof part[0] === "number" ? [part[0] + east, part[1] + north] : part.map(move);
  return {
    type: "FeatureCollection",
    features: collection.features.map((one) => ({
      ...one, geometry: { ...one.geometry, coordinates: move(one.geometry.coordinates) },
    })),
  };
}
