import type { CapacityReport } from "../protocol/capacity-report.ts"
import type { Benched } from "../runtime/agent/bench.ts"
import type { Progress } from "../runtime/bench/host/figure.ts"
import { percent } from "../runtime/bench/peak/remarks.ts"
import { amount, gained, spread } from "../runtime/bench/report/amount.ts"
import type { KeptReport } from "../runtime/bench/report/history.ts"
import { dropsOf, type Part, partsOf } from "../runtime/bench/report/parts.ts"
import { columns } from "./table.ts"

/** What is measured at this moment, and how far it is. */
export function progressLine({ name, unit, done, of, latest }: Progress): string {
  const share = of > 0 ? ` ${Math.min(100, Math.floor((done / of) * 100))} %` : ""
  return `Measuring ${name}${share}${latest === null ? "" : `, ${amount(latest, unit)}`}`
}

const LOOK =
  "See whether something else was at work, then look at heat (`zg-agent gpus`), power limits, risers and new drivers."

/** Of an earlier run it is not known whether the marketplace has it. */
type Shown = KeptReport & Partial<Pick<Benched, "unsent">>

/**
 * A report as tables, one for each part of the machine; what could not be measured, and what got worse, with its reason below.
 * @param page where it was written as a page; null where nobody asked for one.
 */
export function benchReport({ report, previous, unsent, path }: Shown, page: string | null = null): string {
  const parts = partsOf(report, previous)
  const drops = dropsOf(parts)
  const worse =
    drops.length === 0 ? [] : [`Worse than on ${previous?.startedOn}: ${drops.join("; ")}.\n  ${LOOK}`]
  const told = unsent === undefined ? "" : `; ${toldOf(unsent)}`
  return [
    ...parts.map(partLines),
    `Sandbox: ${heldOf(report)}`,
    ...worse,
    [`Signed report: ${path}${told}`, ...(page === null ? [] : [`Page: ${page}`])].join("\n"),
  ].join("\n\n")
}

function toldOf(unsent: string | null): string {
  return unsent === null ? "the marketplace has it" : `the marketplace does not have it: ${unsent}`
}

function partLines({ title, figures, unmeasured, together, last, shares, notes }: Part): string {
  const hasPeak = Object.keys(shares).length > 0
  const all = together.length > 0
  const since = last.length > 0
  const rows = figures.map(figure => {
    const others = together.find(({ name }) => name === figure.name)
    return [
      `  ${figure.name}`,
      amount(figure.median, figure.unit),
      `±${spread(figure)} %`,
      ...(hasPeak ? [shareOf(figure.name, shares)] : []),
      ...(all ? [others === undefined ? "" : amount(others.median, others.unit)] : []),
      ...(since ? [gained(figure, last)] : []),
    ]
  })
  const head = [
    "  figure",
    "median",
    "spread",
    ...(hasPeak ? ["of peak"] : []),
    ...(all ? ["all at once"] : []),
    ...(since ? ["last run"] : []),
  ]
  return [
    title,
    ...(rows.length === 0 ? [] : [columns(head, rows)]),
    ...[...Map.groupBy(unmeasured, ({ reason }) => reason)].map(
      ([reason, figures]) => `  ${figures.map(({ name }) => name).join(", ")}: ${reason}`,
    ),
    ...notes.map(note => `  ${note}`),
  ].join("\n")
}

/** Nothing where the peak of such a figure is not known. */
function shareOf(name: string, shares: Part["shares"]): string {
  const share = shares[name]
  return share === undefined ? "" : percent(share)
}

function heldOf({ jail }: CapacityReport): string {
  if (jail === null) return "not tested yet; `zg-agent sandbox test` does, and each start of `serve`"
  return `${jail.passed ? "held" : "BROKEN"} on ${jail.testedOn} (${jail.engine}, ${jail.runtime})`
}
