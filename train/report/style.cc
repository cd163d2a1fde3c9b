#include "train/report/style.h"

namespace ampgrad::report {

// Every text colour has a contrast of at least 4.5 on the backgrounds it stands on, in both schemes.
const char* const kReportStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1b2026; --soft: #57606a; --line: #d5dae0; --grid: #e6e9ed;
  --good: #1a7037; --bad: #b3261e; --good-tint: #e3f3e7; --bad-tint: #fbe6e4;
  --complex: #1f5fbf; --adjoint: #b35900; --bar: #8fb3e8; --heat: 31 95 191;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #101418; --card: #181d23; --ink: #e6eaef; --soft: #a3adb8; --line: #343c46; --grid: #262d35;
    --good: #5fd07f; --bad: #ff8a80; --good-tint: #16301f; --bad-tint: #3d1d1b;
    --complex: #74b0ff; --adjoint: #f2a65a; --bar: #3c6db0; --heat: 90 150 240;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 0 0 .25rem; }
h3 { font-size: .95rem; margin: .75rem 0 .25rem; }
p { margin: 0 0 .75rem; max-width: 75ch; }
section, header {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem;
  margin: 0 0 1rem;
}
section > p, .legend, caption, small, .facts dt { color: var(--soft); }
footer { color: var(--soft); font-size: .85rem; }
.verdict {
  display: inline-block; margin: 0 0 .75rem; padding: .3rem .8rem; border-radius: 6px; font-weight: 700;
  font-size: 1.1rem;
}
.verdict.plain { background: var(--grid); }
.verdict.good { background: var(--good-tint); } .verdict.bad { background: var(--bad-tint); }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.failures { margin: 0; padding-left: 1.25rem; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .75rem; margin: 0 0 .75rem; }
.facts div { border-left: 3px solid var(--line); padding-left: .6rem; }
.facts dt { font-size: .85rem; } .facts dd { margin: 0; font-size: 1.15rem; font-weight: 600; }
.facts small { display: block; font-weight: 400; font-size: .8rem; }

.scroll { overflow: auto; } .scroll:focus-visible { outline: 2px solid var(--complex); outline-offset: 2px; }
.tall .scroll { max-height: 34rem; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
caption { text-align: left; padding: 0 0 .4rem; }
th, td { padding: .3rem .5rem; text-align: left; border-bottom: 1px solid var(--grid); white-space: nowrap; }
thead th {
  white-space: normal; position: sticky; top: 0; background: var(--card);
  border-bottom: 1px solid var(--line); vertical-align: bottom;
}
tbody th { font-weight: 400; }
.names tbody th { font-family: ui-monospace, monospace; font-size: .82rem; }
.wrap tbody th, .wrap td { white-space: normal; vertical-align: top; } .wrap tbody th { min-width: 15rem; }
.wrap td { min-width: 9rem; } .wrap td.wide { min-width: 20rem; }
.table + .table, .tall + .table { margin-top: 1.75rem; } .table caption { color: var(--ink); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
/* The bar is as wide as the number's column without its padding, and lies in the padding below. */
.bar {
  background: linear-gradient(var(--bar) 0 0) no-repeat 0 calc(100% + .28rem) / var(--w) 4px content-box border-box;
}
.bar.over { background-image: linear-gradient(var(--bad) 0 0); color: var(--bad); font-weight: 600; }
.heat { background: rgb(var(--heat) / calc(var(--s, 0) * .55)); }
.heat.over { background: var(--bad-tint); color: var(--bad); font-weight: 600; }
tr.failed, li.failed { background: var(--bad-tint); }
details { margin-top: .75rem; } summary { cursor: pointer; color: var(--soft); margin-bottom: .5rem; }

svg text { font: 13px ui-monospace, monospace; fill: var(--ink); }
svg .tick { font: 12px system-ui, sans-serif; fill: var(--soft); }
svg text.good { fill: var(--good); } svg text.bad { fill: var(--bad); }
.dots { display: block; width: 100%; min-width: 680px; }
.taylor { display: block; width: 100%; }
.grid { stroke: var(--grid); } .bound { stroke: var(--ink); stroke-width: 2; }
.guide { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 5 4; }
.beyond { fill: var(--bad-tint); } .complex { fill: var(--complex); } .adjoint { fill: var(--adjoint); }
.wrong { fill: var(--bad); stroke: var(--ink); stroke-width: 1.5; } .faint { opacity: .3; }
.legend {
  display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; margin: 0 0 .75rem; padding: 0;
  font-size: .875rem;
}
.key { width: 1em; height: 1em; vertical-align: -.15em; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); gap: 1rem .75rem; }
figure { margin: 0; display: flex; flex-direction: column; justify-content: space-between; }
figcaption { font-size: .85rem; line-height: 1.35; overflow-wrap: anywhere; margin-bottom: .25rem; }

.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); gap: 1.25rem; }
.charts > *, .plots > * { min-width: 0; } .charts > figure { justify-content: flex-start; }
.scroll + .scroll, .tall + .scroll, .charts + .tall, .charts + .scroll, .said + .scroll { margin-top: 1.25rem; }
.chart { display: block; width: 100%; max-width: 42rem; }
.curve { fill: none; stroke: var(--complex); stroke-width: 2; } .curve.other { stroke: var(--adjoint); }
.curve.null { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 5 4; }
.curve.even { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 1.5 3; }
.curve.edge { stroke: var(--ink); stroke-width: 1.5; }
.hollow { fill: var(--card); stroke: var(--complex); stroke-width: 1.75; } .chance { fill: var(--soft); }
.strip { fill: transparent; } g:hover > .strip { fill: rgb(var(--heat) / .14); }
.column { fill: var(--bar); } .column:hover { fill: var(--complex); }
.said { margin: .35rem 0 0; font-size: .9rem; color: var(--ink); }
.star { display: inline-block; width: 1.1em; text-align: left; }
.map table { width: auto; } .map thead th { text-align: center; font-weight: 400; padding: .2rem; }
.map td { min-width: 1.9rem; height: 1.9rem; padding: 0; text-align: center; border: 1px solid var(--card); }
.map td:hover { outline: 2px solid var(--ink); outline-offset: -2px; }
.map th:first-child { position: sticky; left: 0; background: var(--card); text-align: left; padding-right: .5rem; }
.map .heat { background: rgb(var(--heat) / calc(var(--s) * .65)); }
.map { margin-bottom: 1rem; } .pick select, .pair select { font: inherit; max-width: 100%; }
.pair { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0; } .pair[hidden] { display: none; }
th button {
  font: inherit; color: inherit; text-align: inherit; background: none; border: 0; padding: 0; cursor: pointer;
}
.number button { min-width: 4.2rem; }
th button:hover { text-decoration: underline; }
[aria-sort=ascending] button::after { content: " ▲"; } [aria-sort=descending] button::after { content: " ▼"; }
.readout {
  position: fixed; left: 0; right: 0; bottom: 0; padding: .5rem 1rem; background: var(--ink); color: var(--page);
  font-size: .9rem; overflow-wrap: anywhere;
}
.readout:empty { display: none; }

.squares, .faults { list-style: none; margin: 0; padding: 0; }
.squares { display: flex; flex-wrap: wrap; gap: 3px; }
.squares li {
  width: 1.35rem; height: 1.35rem; border-radius: 3px; display: grid; place-items: center; font-size: .8rem;
  line-height: 1;
}
.caught { background: var(--good-tint); color: var(--good); border: 1px solid transparent; }
.missed { background: var(--card); color: var(--bad); border: 1px dashed var(--bad); font-weight: 700; }
.faults { display: grid; grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); gap: .5rem; margin-top: 1rem; }
.faults li {
  border: 1px solid var(--line); border-radius: 6px; padding: .5rem .6rem; font-size: .875rem;
  overflow-wrap: anywhere;
}
.faults div { margin-top: .3rem; display: flex; flex-wrap: wrap; gap: .2rem .9rem; }
.badge { font-size: .8rem; color: var(--soft); } .badge.bad { color: var(--bad); } .badge.good { color: var(--good); }

.beside { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 1rem; align-items: start; }
.steps { list-style: none; margin: 0; padding: 0; } .steps > li + li { border-top: 1px solid var(--line); }
.steps > li { padding: .25rem 0 .5rem; } .steps > .away { display: none; }
.steps h3 { font-size: 1.05rem; overflow-wrap: anywhere; } .steps .facts dd { overflow-wrap: anywhere; }
.steps .facts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 14rem), 1fr)); }
.steps .facts dd { font-size: 1rem; }
.formula {
  font: .95rem ui-monospace, monospace; background: var(--grid); border-radius: 6px; padding: .4rem .6rem;
  overflow-wrap: anywhere; color: var(--ink); max-width: none;
}
.stepper { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; } .stepper[hidden] { display: none; }
.stepper button {
  font: inherit; color: inherit; background: var(--grid); border: 1px solid var(--line); border-radius: 6px;
  padding: .25rem .8rem; cursor: pointer;
}
.stepper button[aria-pressed=true] { border-color: var(--complex); }
.graph td, .graph th { border-bottom: 0; padding: 0 .35rem; height: 32px; } .graph .number { min-width: 4.5rem; }
.graph thead th { white-space: nowrap; } .graph tbody th { font: .8rem ui-monospace, monospace; }
.graph .lane { padding: 0; } .graph td:last-child { padding-left: .9rem; } .graph .lanes { display: block; }
.graph a { color: var(--complex); }
.graph .bar { background-position: 0 100%; } .graph .now { background: rgb(var(--heat) / .2); }
.graph .scroll { position: relative; }
line.lane { stroke: var(--soft); stroke-width: 1.5; } line.lane.main { stroke: var(--complex); stroke-width: 3.5; }
.knot { fill: var(--card); stroke: var(--soft); stroke-width: 1.75; } .knot.main { fill: var(--complex); stroke: none; }
.stems { fill: none; stroke: var(--complex); stroke-width: 1.25; } .grid.zero { fill: none; stroke: var(--soft); }
@media screen and (max-width: 800px) { .beside { grid-template-columns: minmax(0, 1fr); gap: 0; } }
@media screen and (min-width: 801px) { .beside > :first-child { position: sticky; top: .5rem; } }
@media screen and (max-width: 800px) { .graph.tall .scroll { max-height: 19rem; } }
@media (max-width: 480px) { main { padding: .5rem; } section, header { padding: .75rem; } }
@media (max-width: 480px) { svg .tick { font-size: 15px; } }
@media print {
  @page { margin: 12mm; }
  body { background: none; font-size: 10pt; } main { max-width: none; padding: 0; }
  section, header { border: 0; padding: 0; }
  .scroll { overflow: visible; } .tall .scroll { max-height: none; }
  .charts { grid-template-columns: 1fr 1fr; } .said, section > p { font-size: 8.5pt; }
  table { font-size: 7.5pt; } .tall table { font-size: 6.5pt; } thead th { position: static; }
  th, td { white-space: normal; padding: .12rem .25rem; } td.number { white-space: nowrap; }
  .wrap td, .wrap td.wide, .wrap tbody th, .number button { min-width: 0; }
  .wrap table { table-layout: fixed; } .wrap td { overflow-wrap: anywhere; }
  .wrap thead th { width: 12%; } .wrap thead th:nth-child(3) { width: 22%; } .wrap thead th:nth-child(4) { width: 30%; }
  tr, figure { break-inside: avoid; } h2, h3, caption { break-after: avoid; }
  .beside { display: block; } .steps > .away { display: list-item; } .steps > li { break-inside: avoid; }
  .graph td, .graph th { white-space: nowrap; padding-top: 0; padding-bottom: 0; }
  .pick, .pair, .stepper, .readout { display: none !important; }
}
)css";

}  // namespace ampgrad::report
