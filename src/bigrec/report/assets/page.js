// Draws the figures of the page with Vega, and gives them tooltips, log switches and colours.
"use strict";
(() => {
  const specs = JSON.parse(document.getElementById("specs").textContent);
  const tooltip = document.getElementById("tooltip");
  const views = new Map();

  function showTooltip(_handler, event, _item, value) {
    tooltip.hidden = value === null || value === undefined || value === "";
    if (tooltip.hidden) return;
    const table = document.createElement("table");
    for (const [name, text] of Object.entries(value)) {
      const row = table.insertRow();
      row.insertCell().textContent = name;
      row.insertCell().textContent = text;
    }
    tooltip.replaceChildren(table);
    const { width, height } = tooltip.getBoundingClientRect();
    const right = event.clientX + 14 + width < innerWidth;
    tooltip.style.left = `${Math.max(4, right ? event.clientX + 14 : event.clientX - width - 14)}px`;
    tooltip.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - height - 4))}px`;
  }

  // Symlog keeps zero on the scale; its ticks are set to powers of ten, since it would choose even ones.
  function makeLogarithmic(spec, axis) {
    spec.scales.find((scale) => scale.name === axis).type = "symlog";
    const powers = Array.from({ length: 10 }, (_, power) => 10 ** power);
    for (const drawn of spec.axes) if (drawn.scale === axis) drawn.values = [0, ...powers];
  }

  async function draw(host) {
    const spec = structuredClone(specs[host.dataset.figure]);
    for (const axis of host.dataset.log?.split(" ").filter(Boolean) ?? []) makeLogarithmic(spec, axis);
    views.get(host)?.finalize();
    views.set(host, await vegaEmbed(host.querySelector(".plot"), spec, {
      mode: "vega", renderer: "svg", actions: false, defaultStyle: false, tooltip: showTooltip,
    }));
    host.dataset.drawn = "";
  }

  for (const box of document.querySelectorAll(".log input")) {
    box.addEventListener("change", () => {
      const host = document.querySelector(`.chart[data-figure="${box.dataset.of}"]`);
      host.dataset.log = box.checked ? box.value : "";
      draw(host);
    });
  }

  const themes = ["auto", "light", "dark"];
  const button = document.getElementById("theme");
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % themes.length];
    document.documentElement.dataset.theme = next;
    button.textContent = `colours: ${next}`;
  });

  if (matchMedia("(max-width: 1179px)").matches) document.querySelector("nav details").open = false;
  window.addEventListener("scroll", () => { tooltip.hidden = true; }, { passive: true });
  Promise.all(Array.from(document.querySelectorAll(".chart"), draw)).then(() => {
    document.documentElement.dataset.ready = "";
  });
})();
