import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test, vi } from "vitest"
import { CardReport } from "../../../src/protocol/capacity-report.ts"
import { type CardsOptions, measureCards } from "../../../src/runtime/agent/bench-cards.ts"
import { installNvidiaSmi } from "../../stand-in/nvidia-smi.ts"
import { childrenRunning } from "../bench/gpu/brief.ts"
import { needSoftwareAdapter } from "../bench/gpu/software-adapter.ts"
import { nvidia, rowOf, uuidOf } from "../host/telemetry/sample-cards.ts"

const GPUS = [1, 2].map(bus =>
  nvidia(bus, { name: `NVIDIA GeForce RTX ${3060 + bus}`, vramTotalMiB: 12_288.4 }),
)

/** With an `nvidia-smi` on PATH that tells this of the cards, again and again. */
async function measure(stdout: string, maxTemperatureC: CardsOptions["maxTemperatureC"]) {
  const folder = await mkdtemp(join(tmpdir(), "zg-bench-cards-"))
  onTestFinished(() => rm(folder, { recursive: true }))
  await installNvidiaSmi(folder, { "--query-gpu": { stdout, rounds: 10_000 } })
  vi.stubEnv("PATH", `${folder}:${process.env.PATH}`)
  onTestFinished(() => void vi.unstubAllEnvs())
  const { cards, software } = await measureCards(
    { gpus: GPUS, depth: "full", sysfs: "/nowhere", maxTemperatureC },
    { signal: AbortSignal.timeout(50_000) },
  )
  expect(software).toEqual([])
  for (const card of cards) expect(CardReport.parse(card)).toEqual(card)
  expect(await childrenRunning("nvidia-smi")).toEqual([])
  return cards
}

test("a card whose driver WebGPU does not see is unmeasured, and no software stands in for it", {
  timeout: 60_000,
}, async context => {
  needSoftwareAdapter(context)
  const cards = await measure(rowOf(1) + rowOf(2), null)
  expect(cards.map(({ identity, state, vramMiB }) => [identity, state, vramMiB])).toEqual([
    [uuidOf(1), "unmeasured", 12_288],
    [uuidOf(2), "unmeasured", 12_288],
  ])
  for (const card of cards) {
    expect(card.figures).toEqual([])
    expect(card.unmeasured.find(({ name }) => name === "matmul-fp32")?.reason).toMatch(
      /sees no card of nvidia/,
    )
  }
})

test("a card that is hotter than its owner allows is not begun, and the other is measured", {
  timeout: 60_000,
}, async context => {
  needSoftwareAdapter(context)
  const [hot, cool] = await measure(rowOf(1, 100, { temperatureC: 84 }) + rowOf(2), 83)
  expect(hot).toMatchObject({ state: "unmeasured", faults: [{ code: "gpu-too-hot" }] })
  for (const { reason } of hot?.unmeasured ?? []) expect(reason).toMatch(/84 °C.*It was not begun/)
  expect(cool?.faults).toEqual([])
  expect(cool?.unmeasured[0]?.reason).toMatch(/sees no card of nvidia/)
})
