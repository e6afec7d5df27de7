import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { skip } from "../contract/skip.ts"
import { runsOf } from "./cells.ts"
import { FAULTS } from "./faults.ts"
import { runMatrix } from "./matrix.ts"
import type { Moment } from "./moments.ts"
import { missingHere } from "./requirements.ts"

/** The most telling ones: whoever dies, the network, a full disk, and a receipt that does not arrive. */
const TELLING: readonly (readonly [fault: string, moment: Moment])[] = [
  ["kill-agent", "running"],
  ["kill-agent", "settling"],
  ["kill-market", "running"],
  ["kill-engine", "running"],
  ["cut-network", "proved"],
  ["disk-full-agent", "running"],
]

test("nothing lost, nothing twice: the most telling faults, in real worlds", {
  timeout: 240_000,
}, async context => {
  const missing = await missingHere()
  if (missing !== null) skip(context, missing)
  const cells = FAULTS.flatMap(fault =>
    TELLING.filter(([name]) => name === fault.name).map(([, moment]) => ({ fault, moment })),
  )
  const kept = await mkdtemp(join(tmpdir(), "zg-faults-kept-"))
  const { outcomes, left } = await runMatrix({
    runs: runsOf(cells, cells.length, 1),
    lanes: 3,
    kept,
    onOutcome: () => {},
    signal: context.signal,
  })
  const broken = outcomes.filter(({ violations }) => violations.length > 0)
  expect(broken, `their logs are in ${kept}`).toEqual([])
  expect(left).toEqual([])
  expect(outcomes.filter(({ struck, settled }) => struck && settled === 1)).toHaveLength(TELLING.length)
  await rm(kept, { recursive: true })
})
