// Has the trainer work until it is killed, and says so once that does.
import { measureWork } from "../../../../src/runtime/bench/trainer/work.ts"
import { connectEngine } from "../../../../src/runtime/container/connect.ts"
import { chooseDisks } from "../../../../src/runtime/container/disks.ts"
import { DEFAULT_RULES } from "../../../../src/runtime/host/rules/rules.ts"

const [image = "", home = "", scratch = ""] = process.argv.slice(2)
const { signal } = new AbortController()
const budget = { startLimitMs: 60_000, warmUp: { steps: 1, ms: 0 }, windowMs: 600_000, limitMs: 600_000 }
const options = {
  engine: await connectEngine({ signal }),
  gpu: { device: "cpu" as const },
  share: { cpus: 1, memoryMiB: 64, vramMiB: 0 },
  disks: await chooseDisks(scratch, signal),
  ...{ rules: DEFAULT_RULES, home, scratch, image, mayPull: true, meter: null },
}
const onProgress = ({ latest }: { latest: number | null }) => {
  if (latest !== null) process.stdout.write("working\n")
}
await measureWork(options, budget, { signal, onProgress })
