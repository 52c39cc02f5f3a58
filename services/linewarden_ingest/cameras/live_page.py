"""The page of `linewarden camera show`: plain HTML and JavaScript, nothing from elsewhere."""

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Camera</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --line: #8888; --bar: #2a6fb0; --limit: #c2410c; }
  @media (prefers-color-scheme: dark) { :root { --bar: #6fb1ee; --limit: #ff9d66; } }
  body { font: 16px/1.4 system-ui, sans-serif; margin: 1rem; display: grid; gap: 1rem; }
  @media (min-width: 60rem) {
    body { grid-template-columns: minmax(0, 2fr) minmax(18rem, 1fr); }
    h1 { grid-column: 1 / -1; }
  }
  h1 { font-size: 1.2rem; margin: 0; }
  img { max-width: 100%; border: 1px solid var(--line); }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0; }
  dt { opacity: .75; } dd { margin: 0; font-variant-numeric: tabular-nums; }
  #focus { font-size: 2rem; }
  #wrong { color: var(--limit); font-weight: 600; min-height: 1.4em; margin: 0; }
  svg { width: 100%; height: 8rem; border: 1px solid var(--line); }
  rect { fill: var(--bar); } line { stroke: var(--limit); stroke-width: .4; } .mean { stroke: currentColor; }
  polyline { fill: none; stroke: var(--bar); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
</style>
<h1 id="title">Camera</h1>
<main><img id="picture" alt="What the camera sees now"></main>
<section>
  <p id="wrong" role="status"></p>
  <dl>
    <dt>Focus figure</dt><dd id="focus">-</dd>
    <dt>Best so far</dt><dd id="best">-</dd>
    <dt>Mean grey level</dt><dd id="grey">-</dd>
    <dt>Rate</dt><dd id="rate">-</dd>
    <dt>Pictures</dt><dd id="number">-</dd>
  </dl>
  <h2>Grey levels, their mean and its limits</h2>
  <svg id="histogram" viewBox="0 0 256 100" preserveAspectRatio="none" role="img" aria-label="Histogram"></svg>
  <h2>Focus over time</h2>
  <svg viewBox="0 0 200 100" preserveAspectRatio="none" role="img" aria-label="Focus figure over time">
    <polyline id="course"></polyline>
  </svg>
</section>
<script src="/live.js"></script>
</html>
"""

SCRIPT = """'use strict';
const at = name => document.getElementById(name);
const course = [];
let shown = 0;
function figure(value, digits) { return value === null ? '-' : value.toFixed(digits); }
function histogram(counts, limits, mean) {
  const most = Math.max(1, ...counts), wide = 256 / Math.max(1, counts.length);
  const bars = counts.map((count, n) => {
    const high = 100 * Math.sqrt(count / most);
    return `<rect x="${n * wide}" y="${100 - high}" width="${wide * .9}" height="${high}"></rect>`;
  });
  const marks = [limits.dark, limits.bright].filter(one => one !== null)
    .map(one => `<line x1="${one}" x2="${one}" y1="0" y2="100"></line>`);
  marks.push(`<line class="mean" x1="${mean}" x2="${mean}" y1="0" y2="100"></line>`);
  at('histogram').innerHTML = bars.concat(marks).join('');
}
function show(state) {
  at('title').textContent = document.title = `${state.camera}, view ${state.view}`;
  at('wrong').textContent = [state.why, ...state.conditions].filter(Boolean).join(', ');
  if (state.number === shown || state.figures === null) return;
  shown = state.number;
  at('picture').src = `/picture?${shown}`;
  course.push(state.figures.focus);
  if (course.length > 200) course.shift();
  const best = Math.max(...course), least = state.limits.focus;
  at('focus').textContent = figure(state.figures.focus, 1) + (least === null ? '' : ` (least ${least})`);
  at('best').textContent = figure(best, 1);
  at('grey').textContent = figure(state.figures.grey, 1);
  at('rate').textContent = state.rate_per_s === null ? '-' : `${figure(state.rate_per_s, 2)} a second`;
  at('number').textContent = shown;
  at('course').setAttribute('points', course.map((one, n) => `${n},${100 - 95 * one / (best || 1)}`).join(' '));
  histogram(state.histogram, state.limits, state.figures.grey);
}
async function ask() {
  try {
    show(await (await fetch('/state')).json());
  } catch {
    at('wrong').textContent = 'linewarden camera show has ended';
  }
  setTimeout(ask, 300);
}
ask();
"""
