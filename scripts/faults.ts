// The fault matrix: real programs, real faults, at every state of a shard's road. docs/reliability.md says what it checks.
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { availableParallelism, release, tmpdir, totalmem } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { cellsOf, leftOutOf, runsOf } from "../test/faults/cells.ts"
import { FAULTS } from "../test/faults/faults.ts"
import { runMatrix } from "../test/faults/matrix.ts"
import { MOMENTS } from "../test/faults/moments.ts"
import type { Outcome } from "../test/faults/outcome.ts"
import { commandFor, markdownOf } from "../test/faults/report.ts"
import { dockerVersion, impossibleHere, missingHere } from "../test/faults/requirements.ts"

const DOCUMENT = "docs/reliability.md"
const MARKS = ["<!-- faults: begin -->", "<!-- faults: end -->"] as const
const LANES_PER_CORE = 3

const { values: given } = parseArgs({
  options: {
    runs: { type: "string" },
    only: { type: "string" },
    state: { type: "string" },
    seed: { type: "string", default: "1" },
    lanes: { type: "string", default: `${LANES_PER_CORE * availableParallelism()}` },
    keep: { type: "string" },
    write: { type: "boolean", default: false },
  },
})

/** The named ones of all, or all. */
function chosen<T>(all: readonly T[], names: string | undefined, nameOf: (one: T) => string): T[] {
  if (names === undefined) return [...all]
  const wanted = names.split(",")
  const unknown = wanted.filter(name => !all.some(one => nameOf(one) === name))
  if (unknown.length > 0) throw new Error(`${unknown.join(", ")}: choose from ${all.map(nameOf).join(", ")}`)
  return all.filter(one => wanted.includes(nameOf(one)))
}

function tell(outcome: Outcome, place: string): void {
  const { fault, moment, seed, settled, abandoned, violations, struck, recoveryMs, ends, tookMs } = outcome
  const how = [`${settled} settled`, ...abandoned, ...(struck ? [] : ["nothing to strike"]), ...ends].join(
    ", ",
  )
  const times = `${recoveryMs === null ? "" : `recovered in ${recoveryMs} ms, `}took ${tookMs} ms`
  console.error(`${place} ${fault} at ${moment}, seed ${seed}: ${how}; ${times}`)
  if (violations.length === 0) return
  for (const { rule, detail } of violations) console.error(`  ✗ ${rule}: ${detail}`)
  console.error(`  again: ${commandFor(outcome)}`)
}

/** How these runs are had again: without what concerns only this machine. */
function commandGiven(): string {
  const { runs, only, state, seed } = given
  const flags = Object.entries({ runs, only, state, seed, lanes: given.lanes }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${value}`],
  )
  return `npm run faults -- ${flags.join(" ")}`
}

function write(text: string): void {
  const document = readFileSync(DOCUMENT, "utf8")
  const [begin, end] = MARKS
  const [before = "", after = ""] = [document.split(begin)[0], document.split(end)[1]]
  writeFileSync(DOCUMENT, `${before}${begin}\n\n${text}\n\n${end}${after}`)
}

const missing = await missingHere()
if (missing !== null) {
  console.error(`The fault matrix cannot run here: ${missing}.`)
  process.exit(10)
}
const faults = chosen(FAULTS, given.only, ({ name }) => name)
const moments = chosen(MOMENTS, given.state, moment => moment)
const impossible = impossibleHere(faults)
const cells = cellsOf({ faults: faults.filter(({ name }) => !impossible.has(name)), moments })
const runs = runsOf(cells, Number(given.runs ?? cells.length), Number(given.seed))
const lanes = Math.min(Number(given.lanes), runs.length)
const kept = given.keep ?? mkdtempSync(join(tmpdir(), "zg-faults-kept-"))
const stop = new AbortController()
process.once("SIGINT", () => stop.abort())
console.error(`${runs.length} runs over ${cells.length} cells, in ${lanes} lanes`)
const startedAt = Date.now()
const { outcomes, left } = await runMatrix({
  runs,
  lanes,
  kept,
  onOutcome: (outcome, done) => tell(outcome, `${done}/${runs.length}`),
  signal: stop.signal,
})
const report = markdownOf({
  outcomes,
  left,
  faults,
  leftOut: leftOutOf({ faults, moments }, impossible),
  machine: {
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    engine: await dockerVersion(),
    node: process.versions.node,
    kernel: release().split("-")[0] ?? release(),
  },
  command: commandGiven(),
  lanes,
  tookMs: Date.now() - startedAt,
})
console.log(report)
if (given.write) write(report)
const broken = outcomes.filter(({ violations }) => violations.length > 0)
if (broken.length > 0) console.error(`${broken.length} runs broke a rule; their logs are in ${kept}`)
for (const { detail } of left) console.error(`left when the agents had been stopped: ${detail}`)
process.exitCode = broken.length + left.length > 0 ? 1 : 0
