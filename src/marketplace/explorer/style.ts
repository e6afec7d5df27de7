/** How the pages look: the reader's own fonts, light or dark as the reader has it, and narrow screens. Contrast is WCAG AA throughout. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --back: #fbfbf9; --panel: #ffffff; --text: #1d2226; --dim: #596168; --line: #dfe1dd; --link: #0b5a8f;
  --good: #1a6b3c; --good-back: #e6f4ea; --bad: #a3161f; --bad-back: #fde8e8; --unsure: #7a5200; --unsure-back: #fdf3dc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #14181b; --panel: #1b2024; --text: #e4e7e9; --dim: #a0a8ae; --line: #31383d; --link: #7cc0f2;
    --good: #7fd6a0; --good-back: #17301f; --bad: #ff9a98; --bad-back: #3d1a1c; --unsure: #ecc06c; --unsure-back: #33280f;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 0 1.25rem 3rem; background: var(--back); color: var(--text);
  font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
a { color: var(--link); text-underline-offset: .15em; text-decoration-thickness: .06em; }
a:hover { text-decoration-thickness: .12em; }
:focus-visible { outline: .15rem solid var(--link); outline-offset: .15rem; border-radius: .15rem; }
main:focus { outline: none; }
code, pre { font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; font-size: .875em; }
code[title] { cursor: help; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--panel); padding: .25rem .75rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 2rem; padding: 1.25rem 0 .75rem; border-bottom: 1px solid var(--line); }
.brand { margin: 0; font-weight: 650; font-size: 1.1rem; }
.brand a { color: inherit; text-decoration: none; }
.brand span { font-weight: 400; color: var(--dim); }
header ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; margin: 0; padding: 0; }
header nav a { color: var(--dim); text-decoration: none; padding: .25rem 0; }
header nav a:hover { color: var(--text); }
header nav a[aria-current] { color: var(--text); border-bottom: .15rem solid var(--link); }

.ledger { margin: 1rem 0 0; font-size: .875rem; }
.ledger > p { margin: 0; }
.ledger details { margin-top: .35rem; color: var(--dim); }
.ledger details[open] { background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; padding: .5rem 1rem; color: var(--text); }
summary { cursor: pointer; }
.said:not(:empty) { display: inline-block; margin: 0; padding: .2rem .6rem; border-radius: .4rem; border-left: .25rem solid; }
.said.good { color: var(--good); background: var(--good-back); }
.said.bad { color: var(--bad); background: var(--bad-back); font-weight: 600; }
.said.plain { color: var(--dim); background: var(--panel); }
.said.unsure { color: var(--unsure); background: var(--unsure-back); }
.mark .good { color: var(--good); } .mark .bad { color: var(--bad); font-weight: 600; }
.good::before { content: "✓ "; } .bad::before { content: "✗ "; }

h1 { font-size: 1.6rem; line-height: 1.25; margin: 1.5rem 0 1rem; font-weight: 650; }
h2 { font-size: 1.15rem; margin: 2rem 0 .75rem; font-weight: 650; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { margin: .75rem 0; }
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .4rem 1.5rem; margin: 1rem 0; }
dt { color: var(--dim); } article dt::first-letter { text-transform: uppercase; } dd { margin: 0; min-width: 0; }
dd ul { margin: 0; padding-left: 1.1rem; }
.facts { grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: .75rem; }
.facts > div { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .9rem; }
.facts dt { font-size: .8125rem; }
.facts dd { font-size: 1.15rem; font-variant-numeric: tabular-nums; }

.wide { overflow-x: auto; position: relative; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; overflow-wrap: normal; }
caption { text-align: left; color: var(--dim); padding: .25rem 0; }
th, td { text-align: left; padding: .5rem .9rem .5rem 0; border-bottom: 1px solid var(--line); vertical-align: top; font-weight: 400; }
thead th { color: var(--dim); font-size: .8125rem; border-bottom-color: var(--dim); white-space: nowrap; }
tbody tr:hover { background: var(--panel); }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td time, td.mark { white-space: nowrap; }
.pair { display: inline-block; margin-right: .75rem; color: var(--dim); white-space: nowrap; }
th .pair, .pair a { color: var(--link); }
.badge { display: inline-block; white-space: nowrap; padding: 0 .5rem; border-radius: 1rem; font-size: .8125rem; border: 1px solid var(--line); color: var(--dim); }
.badge.done, .badge.settled, .badge.serving, .badge.sound, .badge.passed, .badge.right { color: var(--good); background: var(--good-back); border-color: transparent; }
.badge.failed, .badge.degraded, .badge.wrong { color: var(--bad); background: var(--bad-back); border-color: transparent; }
.badge.running, .badge.leased, .badge.committed, .badge.undecided, .badge.connected { color: var(--unsure); background: var(--unsure-back); border-color: transparent; }

pre { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; overflow-x: auto; line-height: 1.45; overflow-wrap: normal; }
.pager { display: flex; flex-wrap: wrap; gap: 1.25rem; margin: 1rem 0; color: var(--dim); font-variant-numeric: tabular-nums; }
.verify { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem; margin: 1rem 0; }
.controls { display: flex; flex-wrap: wrap; gap: .5rem; margin: .35rem 0 .75rem; }
button, input { font: inherit; color: inherit; border: 1px solid var(--dim); border-radius: .4rem; padding: .3rem .9rem; background: var(--panel); }
button { cursor: pointer; } button:hover { border-color: var(--link); color: var(--link); }
input { flex: 1 1 18rem; min-width: 0; font-family: ui-monospace, monospace; font-size: .875rem; }
progress { accent-color: var(--good); vertical-align: middle; width: 8rem; max-width: 100%; }

.curve { margin: 1rem 0; background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; }
.curve svg { display: block; width: 100%; height: auto; max-width: 44rem; }
.curve .grid { stroke: var(--line); }
.curve .scale { fill: var(--dim); font: 12px system-ui, sans-serif; }
.curve .line { stroke: var(--link); stroke-width: 2; stroke-linejoin: round; }
.curve .point { fill: var(--link); }
figcaption { color: var(--dim); font-size: .875rem; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); color: var(--dim); font-size: .875rem; }
[hidden] { display: none !important; }
@media (max-width: 34rem) {
  body { padding: 0 .9rem 2rem; }
  dl:not(.facts) { grid-template-columns: 1fr; gap: 0; } dl:not(.facts) dd { margin-bottom: .6rem; }
  .facts { grid-template-columns: 1fr 1fr; }
  .curve .scale { font-size: 17px; }
}
`
