/** The style sheet of the page: light or dark like the reader's system, from a phone to a wide screen. */
import { type Markup, trustedMarkup } from './html.ts';

/** CSS for a style element. */
export const pageStyle: Markup = trustedMarkup(`
:root {
  color-scheme: light dark;
  --ground: #f7f8fa; --card: #fff; --text: #1c2430; --quiet: #5b6675; --rule: #e1e5ea;
  --now: #2266cc; --under: #2266cc22; --p50: #2266cc; --p99: #c2570c; --max: #8b3fb8; --before: #8a94a3; --bad: #c22a2a; --doubt: #8f6400; --good: #1d7a3e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14181e; --card: #1c2229; --text: #e4e8ee; --quiet: #9aa5b3; --rule: #2e3742;
    --now: #6aa5f8; --under: #6aa5f826; --p50: #6aa5f8; --p99: #f0954a; --max: #cb91ec; --before: #76818f; --bad: #f27878; --doubt: #e0b252; --good: #67c98a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 40px; }
header p { max-width: 75ch; margin: 6px 0; }
h1 { margin: 0; font-size: 24px; line-height: 1.25; overflow-wrap: anywhere; }
h1 small { display: block; font-size: 14px; font-weight: 400; color: var(--quiet); }
h2 { margin: 32px 0 12px; font-size: 18px; }
h3 { margin: 0; font-size: 15px; }
.quiet, figcaption, th { color: var(--quiet); }
.finding { margin: 8px 0; padding: 8px 14px; background: var(--card); border: 1px solid var(--rule); border-left: 4px solid var(--doubt); border-radius: 6px; }
ul.finding { padding-left: 32px; }
.finding.bad { border-left-color: var(--bad); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0; padding: 0; }
.cards div, figure, .table { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
.cards div { padding: 12px 16px; }
.cards dt { color: var(--quiet); font-size: 13px; }
.cards dd { margin: 0; font-size: 24px; font-weight: 600; font-variant-numeric: tabular-nums; }
.cards .note { display: block; font-size: 13px; font-weight: 400; color: var(--quiet); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr)); gap: 16px; }
figure { margin: 0; padding: 14px 16px; container-type: inline-size; }
figcaption { font-size: 13px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 2px 0 0; padding: 0; list-style: none; font-size: 13px; }
.legend i { display: inline-block; width: 18px; height: 0; margin-right: 6px; vertical-align: middle; border-top: 3px solid var(--now); }
.legend .before { border-color: var(--before); border-top-style: dashed; }
.legend .target { border-color: var(--text); border-top-style: dashed; }
.legend .error { border-color: var(--bad); border-top-width: 6px; }
.legend .p99 { border-color: var(--p99); }
.legend .max { border-color: var(--max); }
svg { display: block; overflow: visible; width: 100%; height: auto; margin: 8px 0 4px; }
svg text { fill: var(--quiet); font-size: 12px; font-variant-numeric: tabular-nums; }
svg .name { fill: var(--text); }
.grid path { stroke: var(--rule); }
.axis { stroke: var(--quiet); }
.line { fill: none; stroke: var(--now); stroke-width: 2; stroke-linejoin: round; }
.line.before, .line.target { stroke: var(--before); stroke-width: 1.5; stroke-dasharray: 5 4; }
.line.target { stroke: var(--text); }
.line.p50 { stroke: var(--p50); } .line.p99 { stroke: var(--p99); } .line.max { stroke: var(--max); stroke-width: 1.5; }
circle { fill: var(--now); } circle.p99 { fill: var(--p99); } circle.max { fill: var(--max); }
.under { fill: var(--under); } .bar { fill: var(--now); } .bar:hover { fill: var(--p99); }
rect.error { fill: var(--bad); }
.hover { fill: transparent; } .hover:hover { fill: var(--under); }
@container (max-width: 440px) { svg text { font-size: 19px; } svg .minor text { display: none; } }
.tables { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr)); gap: 0 16px; align-items: start; }
.table { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 6px 14px; text-align: left; vertical-align: top; }
tr + tr > *, thead + tbody > tr:first-child > * { border-top: 1px solid var(--rule); }
th { font-weight: 400; white-space: nowrap; }
td { overflow-wrap: break-word; }
.free { min-width: 20ch; overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.better { color: var(--good); } .worse, .error-text { color: var(--bad); } .uneven, .unclear, .weak { color: var(--doubt); }
code { font: 13px/1.5 ui-monospace, monospace; }
footer { margin-top: 32px; max-width: 75ch; font-size: 13px; color: var(--quiet); }
td.verdict { min-width: 12ch; }
@media (max-width: 560px) {
  main { padding: 20px 14px; }
  th, td { padding: 5px 8px; font-size: 14px; }
  th[scope="row"] { white-space: normal; }
  .free { min-width: 12ch; }
}
@media print { body { background: none; } figure, .cards div, .table { break-inside: avoid; } }
`);
