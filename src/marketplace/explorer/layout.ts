import type { PublicKey } from "../../protocol/keys.ts"
import { type Html, html, type Part } from "./html.ts"

/** What stands on every page. */
export interface Site {
  /** The ledger's name. */
  name: string
  /** The key under its checkpoints. */
  vkey: string
  /** The same key as SPKI in DER, base64. */
  key: PublicKey
  /** Where the script is. */
  script: string
  /** The marketplace's address as this reader reached it, such as `127.0.0.1:7464`. */
  host: string
}

/** Where a page belongs in the navigation. */
export type Section = "overview" | "agents" | "jobs" | "entries" | null

const SECTIONS = [
  ["overview", "/", "Overview"],
  ["agents", "/agents", "Agents"],
  ["jobs", "/jobs", "Jobs"],
  ["entries", "/entries", "Ledger"],
] as const

export interface Content {
  title: string
  section: Section
  main: Part
}

export function layout(site: Site, { title, section, main }: Content): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · zg-agent marketplace</title>
<link rel="stylesheet" href="/explorer/style.css">
<link rel="icon" href="data:,">
<script type="module" src="${site.script}"></script>
</head>
<body data-vkey="${site.vkey}">
<a class="skip" href="#main">Skip to the content</a>
<header>
<p class="brand"><a href="/">zg-agent <span>marketplace</span></a></p>
<nav aria-label="Sections"><ul>${SECTIONS.map(
    ([name, path, label]) =>
      html`<li><a href="${path}"${name === section ? html` aria-current="page"` : null}>${label}</a></li>`,
  )}</ul></nav>
</header>
${ledgerBar(site)}
<main id="main" tabindex="-1">
<h1>${title}</h1>
${main}
</main>
<footer><p>Pages show what this marketplace says; its <a href="/ledger/checkpoint">signed checkpoint</a> and the files below it are what it can be held to.</p></footer>
</body>
</html>
`
}

/** How the ledger stands, and against which key that is checked. */
function ledgerBar({ name, vkey, host }: Site): Html {
  const command = html`<code>zg-agent ledger verify http://${host}/ledger --key ${vkey}</code>`
  return html`<section class="ledger" aria-label="The ledger's signature">
<p><span id="ledger-status" class="said unsure" role="status"><noscript>Nothing is checked here without script: run ${command}.</noscript></span></p>
<details><summary>What is checked, and against which key</summary>
<p>Your browser fetches the ledger’s checkpoint, checks the signature, and checks that it goes on from the largest one that it saw before. “Verify” follows an entry’s bytes up to the signed root and compares them with what the page shows.</p>
<dl><dt>Ledger</dt><dd><code>${name}</code></dd><dt>Key that this page names</dt><dd><code class="whole">${vkey}</code></dd></dl>
<div data-script hidden>
<label for="trusted-key">Key that you trust, for instance as <code>register</code> showed it, or whoever runs this marketplace told you</label>
<p class="controls"><input id="trusted-key" type="text" spellcheck="false" autocomplete="off" placeholder="name+a1b2c3d4+AT…"><button type="button" id="trust">Trust it</button><button type="button" id="forget">Forget all</button></p>
<p id="trust-result" class="said" role="status"></p>
</div>
<p><strong>The limit of this:</strong> the script comes from the marketplace too, and one that lies could send another script. Stronger is a program that you already have, ${command}, or a witness that others ask as well.</p>
</details>
</section>`
}

/** Links to the pages before and after; `from` counts from the newest. */
export function pager(
  path: string,
  { from, size, total }: { from: number; size: number; total: number },
): Html {
  const newer =
    from > 0 ? html`<a rel="prev" href="${path}?from=${Math.max(0, from - size)}">Newer</a>` : null
  const older = from + size < total ? html`<a rel="next" href="${path}?from=${from + size}">Older</a>` : null
  const last = Math.min(total, from + size)
  return html`<nav class="pager" aria-label="Pages">${newer}<span>${total === 0 ? "none" : `${from + 1}–${last} of ${total}`}</span>${older}</nav>`
}

/** The button, hidden without script, and what to do then. */
export function verifyPanel(label: string): Html {
  return html`<section class="verify" aria-label="Verification"><button type="button" id="verify" data-script hidden>${label}</button>
<p id="verify-result" class="said" role="status"></p>
<noscript><p>Without script your browser cannot verify this: run <code>zg-agent ledger verify</code>.</p></noscript></section>`
}
