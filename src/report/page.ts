/** Style of a report page. Colours are variables, so that the plots inside follow light and dark. */
export const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --muted: #57606b; --grid: #d8dee5; --paper: #fefefe;
  --panel: #f4f6f8; --accent: #0072b2; --mark: #fff3d6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ebef; --muted: #a3adb8; --grid: #39424d; --paper: #14181d; --panel: #1d232a;
    --accent: #6cb8ea; --mark: #3d3316; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1400px; padding: 24px 20px 64px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "DejaVu Sans", Verdana, sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 20px; margin: 40px 0 10px; }
h3 { font-size: 16px; margin: 20px 0 8px; } p, li { max-width: 90ch; } .muted { color: var(--muted); }
.findings { background: var(--panel); border-left: 4px solid var(--accent); padding: 12px 12px 12px 34px; margin: 18px 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 9px; text-align: left; border-bottom: 1px solid var(--grid); white-space: nowrap; }
td.number, th.number { text-align: right; } tr.differs td { background: var(--mark); }
td.name { white-space: normal; overflow-wrap: anywhere; min-width: 130px; }
th { color: var(--muted); font-weight: 600; } thead th { border-bottom: 2px solid var(--grid); }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
th button:hover, th button:focus-visible { color: var(--accent); text-decoration: underline; }
th[aria-sort=ascending] button::after { content: " ↑"; }
th[aria-sort=descending] button::after { content: " ↓"; }
figure { margin: 12px 0; overflow-x: auto; } figure svg { max-width: 100%; height: auto; display: block; }
button.zoom { font: inherit; font-size: 13px; color: var(--muted); background: none; border: 1px solid var(--grid);
  border-radius: 4px; padding: 1px 8px; cursor: zoom-in; }
button.zoom:hover, button.zoom:focus-visible { color: var(--accent); border-color: var(--accent); }
figure.zoomed { position: fixed; inset: 0; z-index: 9; margin: 0; padding: 12px; background: var(--paper); overflow: hidden; }
figure.zoomed svg { width: 100%; height: calc(100% - 34px); cursor: grab; touch-action: none; }
figure.zoomed button.zoom { cursor: zoom-out; margin-top: 8px; }
details { border: 1px solid var(--grid); border-radius: 6px; padding: 10px 16px; margin: 12px 0; }
summary { cursor: pointer; font-weight: 600; font-size: 16px; }
.side { display: flex; flex-wrap: wrap; gap: 8px 40px; align-items: flex-start; }
.side > figure { flex: 1 1 520px; max-width: 640px; min-width: 0; } .side > .scroll { min-width: 0; }
@media print { details { break-inside: avoid; } }
`;

/**
 * Sorts the table of runs by the column whose head is pressed, and fills the window with a plot, where the wheel zooms and
 * dragging moves. Without a script the page lacks nothing else.
 */
export const script = `
for (const button of document.querySelectorAll("button.zoom")) {
  const figure = button.parentElement, svg = figure.querySelector("svg");
  const whole = [0, 0, svg.width.baseVal.value, svg.height.baseVal.value];
  let view = whole;
  const show = (next) => svg.setAttribute("viewBox", (view = next).join(" "));
  const toggle = (on) => {
    figure.classList.toggle("zoomed", on);
    button.textContent = on ? "back (Escape); wheel: zoom, drag: move, double click: all" : "enlarge";
    show(whole);
  };
  const inside = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return [at.x, at.y];
  };
  button.addEventListener("click", () => toggle(!figure.classList.contains("zoomed")));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && figure.classList.contains("zoomed")) toggle(false);
  });
  svg.addEventListener("dblclick", () => show(whole));
  svg.addEventListener("wheel", (event) => {
    if (!figure.classList.contains("zoomed")) return;
    event.preventDefault();
    const factor = Math.exp(event.deltaY / 500), [x, y] = inside(event);
    const width = Math.min(whole[2], Math.max(whole[2] / 40, view[2] * factor)), scale = width / view[2];
    show([x - (x - view[0]) * scale, y - (y - view[1]) * scale, width, view[3] * scale]);
  }, { passive: false });
  svg.addEventListener("pointermove", (event) => {
    if (!figure.classList.contains("zoomed") || !(event.buttons & 1)) return;
    const step = view[2] / svg.getBoundingClientRect().width;
    show([view[0] - event.movementX * step, view[1] - event.movementY * step, view[2], view[3]]);
  });
}
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), body = head.closest("table").tBodies[0];
    const column = [...head.parentElement.children].indexOf(head);
    const up = head.getAttribute("aria-sort") === "descending";
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (row) => row.children[column].dataset.sort;
    const compare = (a, b) => head.classList.contains("number") ? a - b : a < b ? -1 : a > b ? 1 : 0;
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return up ? compare(x, y) : compare(y, x);
    });
    body.append(...rows);
  });
}
`;
