/** The page's looks: light and dark, wide, narrow and printed. Colours after Okabe and Ito, whom colour-blind people tell apart, too. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #f6f7f8; --panel: #fff; --text: #1a1f25; --soft: #57616c; --rule: #dfe3e8;
  --blue: #0067a8; --vermilion: #bf4300; --green: #007a5c; --orange: #d58c00; --purple: #96437f;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #0f1317; --panel: #171c21; --text: #e6eaee; --soft: #9aa6b2; --rule: #2c343c;
    --blue: #56b4e9; --vermilion: #ff8a4d; --green: #35c79d; --orange: #f0b030; --purple: #dc93c6;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 72rem;
  background: var(--paper); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: break-word;
}
h1 { margin: 0.1em 0 0.4em; font-size: 2rem; line-height: 1.2; letter-spacing: -0.01em; text-wrap: balance; }
h2 { margin: 0 0 0.8rem; font-size: 1.3rem; line-height: 1.3; }
h3 { margin: 1.4rem 0 0.4rem; font-size: 1rem; line-height: 1.3; }
p { margin: 0.5rem 0; max-width: 46rem; }
a { color: inherit; text-decoration-color: var(--soft); text-underline-offset: 0.2em; }
code { font: 0.88em ui-monospace, monospace; overflow-wrap: anywhere; }
pre { margin: 0.8rem 0; padding: 0.8rem 1rem; border: 1px solid var(--rule); border-radius: 6px; background: var(--paper); white-space: pre-wrap; line-height: 1.45; }
section { margin-top: 1.25rem; padding: 1.4rem 1.5rem; border: 1px solid var(--rule); border-radius: 10px; background: var(--panel); }
.kicker { margin: 0; color: var(--soft); font-size: 0.85rem; letter-spacing: 0.06em; text-transform: uppercase; }
.line { display: flex; flex-wrap: wrap; gap: 0 1.2rem; color: var(--soft); max-width: none; overflow-wrap: anywhere; }
.facts { display: flex; flex-wrap: wrap; gap: 0.6rem 2.2rem; margin: 1rem 0 0; }
.facts.wide { flex-direction: column; margin: 0.8rem 0; }
.facts dt { color: var(--soft); font-size: 0.82rem; }
.facts dd { margin: 0; }
.attention { border-left: 4px solid var(--vermilion); }
.attention ul, .faults { margin: 0; padding-left: 1.1rem; }
.attention li + li, .faults li + li { margin-top: 0.35rem; }
.faults { margin: 0.8rem 0; padding: 0.7rem 1rem 0.7rem 2rem; border: 1px solid var(--vermilion); border-radius: 6px; }
.title h2 { margin: 0; }
.title { display: flex; flex-wrap: wrap; align-items: center; gap: 0.4rem 0.9rem; }
.state { display: inline-block; padding: 0.05rem 0.6rem; border: 1.5px solid var(--green); border-radius: 1rem; color: var(--green); font-size: 0.85rem; font-weight: 600; white-space: nowrap; }
.state.degraded { border-color: var(--vermilion); background: var(--vermilion); color: var(--panel); }
.state.unmeasured { border-style: dashed; border-color: var(--soft); color: var(--soft); }
.bad { color: var(--vermilion); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0.5rem 2.5rem; }
.beside { display: grid; gap: 1rem 2.5rem; }
@media (min-width: 60rem) { .beside { grid-template-columns: minmax(0, 7fr) minmax(0, 5fr); } }
figure { margin: 1rem 0 0; break-inside: avoid; }
figure svg { display: block; width: 100%; max-width: 520px; height: auto; }
figcaption { margin-top: 0.4rem; color: var(--soft); font-size: 0.85rem; max-width: 520px; }
figcaption.above { margin: 0 0 0.3rem; color: var(--text); font-size: 0.95rem; font-weight: 600; }
.key { display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; max-width: none; color: var(--soft); font-size: 0.85rem; }
.swatch { display: inline-block; width: 1.6em; height: 0.65em; border: 1.5px solid var(--blue); }
.swatch.full { background: var(--blue); }
table { width: 100%; margin-top: 1rem; border-collapse: collapse; font-size: 0.92rem; }
caption { padding-bottom: 0.3rem; font-weight: 600; text-align: left; }
th, td { padding: 0.38rem 0.7rem 0.38rem 0; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: baseline; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-size: 0.82rem; font-weight: 500; }
tbody th { font-weight: 400; }
.num { text-align: right; white-space: nowrap; }
.aside { color: var(--soft); font-size: 0.82em; }
.note { margin: 0.4rem 0; color: var(--soft); font-size: 0.85rem; max-width: none; }
.reasons { margin: 0; font-size: 0.92rem; }
.reasons dt { margin-top: 0.4rem; }
.reasons dd { margin: 0; color: var(--soft); }
@media (max-width: 40rem) {
  body { padding: 1.4rem 0.7rem 3rem; }
  h1 { font-size: 1.6rem; }
  section { padding: 1rem 0.8rem; }
  table { font-size: 0.85rem; }
  th, td { padding-right: 0.45rem; }
  th .aside, td .aside { display: block; }
  .roomy { display: none; }
}
@media print {
  :root { --paper: #fff; }
  body { padding: 0; max-width: none; font-size: 10pt; }
  section, section.attention { padding: 0; border: 0; }
  .pair { grid-template-columns: 1fr 1fr; }
  .state, .swatch { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .card, table { break-inside: avoid-page; }
  a { text-decoration: none; }
}
`
