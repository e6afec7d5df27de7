import { type CapacityReport, reportDigest } from "../../../protocol/capacity-report.ts"
import { fileNameOf, type SignedReport } from "../report/history.ts"
import { dateOf } from "./head.ts"
import { html, type Markup, prose } from "./html.ts"

/** What the newest test of the sandbox came to. */
export function sandboxSection({ jail }: CapacityReport): Markup {
  const said =
    jail === null
      ? prose("Not tested yet: `zg-agent sandbox test` does, and each start of `serve`.")
      : html`<strong${!jail.passed && html` class="bad"`}>${jail.passed ? "✔ It held" : "✖ It is broken"}</strong> when a hostile container of our own tried to get out on ${dateOf(jail.testedOn)} (${jail.engine}, ${jail.runtime}).`
  return html`<section id="sandbox" aria-labelledby="sandbox-title">
<h2 id="sandbox-title">Sandbox</h2>
<p>${said}</p>
</section>
`
}

/** Who signed what, and how to see that it is so. */
export function signatureSection({ report, bundle }: SignedReport): Markup {
  const [{ keyid }] = bundle.dsseEnvelope.signatures
  return html`<section id="signature" aria-labelledby="signature-title">
<h2 id="signature-title">Signature</h2>
<p>This page is drawn from a signed report, and is not signed itself. The agent's home keeps the report with its signature: an in-toto statement with every figure of the cards, the host and the trainer, each card's state and the sandbox's test, in a Sigstore bundle.</p>
<dl class="facts wide">
<div><dt>Report</dt><dd><code>${reportDigest(report)}</code></dd></div>
<div><dt>Key</dt><dd><code>${keyid}</code></dd></div>
</dl>
<p>On the machine that made it, <code>zg-agent bench show</code> checks signature and digest before it shows the newest report. With openssl and jq alone, in the agent's home:</p>
<pre><code>${commands(fileNameOf(report))}</code></pre>
<p>The last two lines print <code>Signature Verified Successfully</code> and the digest of the report.</p>
</section>
`
}

function commands(file: string): string {
  return `openssl pkey -in identity.pem -pubout -out agent.pub
jq -r .bundle.dsseEnvelope.payload reports/${file} | openssl base64 -d -A > statement.json
jq -r '.bundle.dsseEnvelope.signatures[0].sig' reports/${file} | openssl base64 -d -A > signature
{ printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c < statement.json)"; cat statement.json; } > signed
openssl pkeyutl -verify -pubin -inkey agent.pub -rawin -in signed -sigfile signature
jq -r '.subject[0].digest.sha256' statement.json`
}
