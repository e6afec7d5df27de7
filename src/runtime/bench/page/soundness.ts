import prettyBytes from "pretty-bytes"
import type { Soundness } from "../../../protocol/capacity-report.ts"
import { type Content, html } from "./html.ts"
import { table } from "./table.ts"

const TESTS: Record<Soundness["test"], string> = {
  "vram-patterns": "Patterns over the memory",
  "repeated-kernel": "One kernel over and over",
}

/** What the tests of a card found; nothing where none was made. */
export function soundnessTable(soundness: readonly Soundness[]): Content {
  if (soundness.length === 0) return null
  const checkedOf = ({ test, checked }: Soundness) =>
    test === "vram-patterns" ? prettyBytes(checked, { binary: true }) : `${checked} results`
  const look = "num" as const
  const rows = soundness.map(one => [
    html`${TESTS[one.test]} <code class="aside">${one.test}</code>`,
    ...[outcome(one), checkedOf(one), `${Math.round(one.seconds)} s`],
  ])
  const columns = [{ head: "Test" }, { head: "Outcome" }, { head: "Checked", look }, { head: "Time", look }]
  return table(columns, rows, "Tests of soundness")
}

function outcome({ errors, range }: Soundness): Content {
  if (errors === 0) return "✔ no error"
  const where = range === null ? "" : `, in bytes ${range[0]} to ${range[1]}`
  return html`<strong class="bad">✖ ${errors} ${errors === 1 ? "error" : "errors"}${where}</strong>`
}
