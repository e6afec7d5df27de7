import type { LeftOut } from "./cells.ts"
import type { Violation } from "./facts.ts"
import { MOMENTS, type Moment } from "./moments.ts"
import type { Outcome } from "./outcome.ts"

export interface Machine {
  cores: number
  memoryGiB: number
  engine: string
  node: string
  kernel: string
}

export interface Report {
  outcomes: readonly Outcome[]
  leftOut: readonly LeftOut[]
  /** What was there when the agents had been stopped after the last run. */
  left: readonly Violation[]
  /** Name and description of each fault, in the table's order. */
  faults: readonly { name: string; about: string }[]
  machine: Machine
  /** How these runs are had again. */
  command: string
  lanes: number
  /** Milliseconds for all runs together. */
  tookMs: number
}

/** A run is repeated by this. */
export function commandFor({ fault, moment, seed }: Pick<Outcome, "fault" | "moment" | "seed">): string {
  return `npm run faults -- --only ${fault} --state ${moment} --seed ${seed} --runs 1`
}

/** The report in Markdown. */
export function markdownOf(report: Report): string {
  const { outcomes, machine, command, lanes, tookMs, faults, left } = report
  const broken = outcomes.filter(({ violations }) => violations.length > 0)
  const { cores, memoryGiB, engine, node, kernel } = machine
  const sections = [
    `${counted(outcomes.length, "run")} of \`${command}\` in ${Math.ceil(tookMs / 60_000)} min with ${counted(lanes, "lane")}, ` +
      `on ${cores} cores, ${memoryGiB} GiB of memory, Linux ${kernel}, Docker ${engine}, Node.js ${node}: ` +
      `${counted(broken.length, "run")} broke a rule.`,
    tableOf(report),
    "Each cell: shards settled / leases abandoned with a reason, then the median time to recover in seconds (– where the " +
      "job had gone on before the fault was over); ✗ counts the runs that broke a rule.",
    broken.length === 0 ? "" : `### What broke\n\n${brokenLines(broken)}`,
    left.length === 0
      ? ""
      : `### What was left at the end\n\n${left.map(({ detail }) => `- ${detail}`).join("\n")}`,
    `### What abandoned shards gave as their reason\n\n${reasonsOf(outcomes)}`,
    `### The faults\n\n${faults.map(({ name, about }) => `- \`${name}\`: ${about}.`).join("\n")}`,
    `### What was not run\n\n${notRun(report)}`,
  ]
  return sections.filter(Boolean).join("\n\n")
}

function tableOf({ outcomes, faults, leftOut }: Report): string {
  const shown = faults.filter(({ name }) => outcomes.some(({ fault }) => fault === name))
  const head = ["fault", ...MOMENTS, "runs", "✗", "median", "worst"]
  const rows = shown.map(({ name }) => {
    const own = outcomes.filter(({ fault }) => fault === name)
    const cells = MOMENTS.map(moment =>
      cellOf(
        own.filter(run => run.moment === moment),
        isLeftOut(leftOut, name, moment),
      ),
    )
    const times = timesOf(own)
    const broken = own.filter(({ violations }) => violations.length > 0).length
    return [
      `\`${name}\``,
      ...cells,
      own.length,
      broken,
      seconds(medianOf(times)),
      seconds(times.at(-1) ?? null),
    ]
  })
  const line = (columns: readonly (string | number)[]) => `| ${columns.join(" | ")} |`
  return [line(head), line(head.map((_, column) => (column === 0 ? "---" : "--:"))), ...rows.map(line)].join(
    "\n",
  )
}

function cellOf(runs: readonly Outcome[], isSenseless: boolean): string {
  if (runs.length === 0) return isSenseless ? "" : "not run"
  const settled = runs.reduce((sum, run) => sum + run.settled, 0)
  const abandoned = runs.reduce((sum, run) => sum + run.abandoned.length, 0)
  const broken = runs.filter(({ violations }) => violations.length > 0).length
  return `${settled}/${abandoned} ${seconds(medianOf(timesOf(runs)))}${broken > 0 ? ` ✗${broken}` : ""}`
}

function isLeftOut(leftOut: readonly LeftOut[], name: string, moment: Moment): boolean {
  return leftOut.some(({ fault, moments }) => fault === name && moments.includes(moment))
}

/** In order; without the runs that had gone on all the while. */
function timesOf(runs: readonly Outcome[]): number[] {
  return runs
    .map(({ recoveryMs }) => recoveryMs)
    .filter(ms => ms !== null)
    .sort((one, other) => one - other)
}

export function medianOf(sorted: readonly number[]): number | null {
  const middle = sorted.length / 2
  const [below, above] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return below === undefined || above === undefined ? null : (below + above) / 2
}

function seconds(ms: number | null): string {
  return ms === null ? "–" : (ms / 1000).toFixed(1)
}

/** Runs that broke the same rules in the same cell are told together. */
function brokenLines(broken: readonly Outcome[]): string {
  const alike = Map.groupBy(broken, ({ fault, moment, violations }) =>
    [fault, moment, ...new Set(violations.map(({ rule }) => rule))].join(" "),
  )
  const lines = [...alike.values()].flatMap(runs => {
    const [shown] = runs
    if (shown === undefined) return []
    const seeds =
      runs.length > 1
        ? `, also seeds ${runs
            .slice(1)
            .map(({ seed }) => seed)
            .join(", ")}`
        : ""
    const told = shown.violations.map(({ rule, detail }) => `  - ${rule}: ${withoutPlace(detail)}`)
    return [`- \`${commandFor(shown)}\`${seeds}`, ...told]
  })
  return lines.join("\n")
}

/** The first line, and without the folder of a lane that is gone. */
function withoutPlace(detail: string): string {
  return (detail.split("\n")[0] ?? "").replaceAll(/\S*zg-faults-\w+/g, "…")
}

function reasonsOf(outcomes: readonly Outcome[]): string {
  const counts = new Map<string, number>()
  for (const code of outcomes.flatMap(({ abandoned }) => abandoned))
    counts.set(code, (counts.get(code) ?? 0) + 1)
  const sorted = [...counts].sort(([, one], [, other]) => other - one)
  if (sorted.length === 0) return "No shard was abandoned."
  return sorted.map(([code, count]) => `- \`${code}\`: ${counted(count, "time")}`).join("\n")
}

function notRun({ leftOut, outcomes }: Report): string {
  const missed = outcomes.filter(({ struck }) => !struck)
  const left = leftOut.map(
    ({ fault, moments, reason }) => `- \`${fault}\` at ${moments.join(", ")}: ${reason}.`,
  )
  const late = missed.map(
    ({ fault, moment, seed }) =>
      `- \`${fault}\` at ${moment}, seed ${seed}: there was nothing left to strike when the moment had come.`,
  )
  return [...left, ...late].join("\n") || "Nothing was left out."
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`
}
