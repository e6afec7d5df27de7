import { readFile } from "node:fs/promises"
import { join, relative } from "node:path"
import { formatCredits } from "../../src/protocol/credits.ts"
import type { JobStatus } from "../../src/protocol/job.ts"
import type { Network } from "./network.ts"
import { zgAgent } from "./programs.ts"
import { lossPlot } from "./screen.ts"

interface Verified {
  proofs: { paid: number }[]
}

/** Fetches the trained model, verifies every proof, and tells what came out. */
export async function report(
  network: Network,
  job: JobStatus,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  await zgAgent(network.buyer, ["job", "fetch", job.id, "--out", folder], signal)
  const sample = await readFile(join(folder, "sample.txt"), "utf8")
  const untrained = await readFile(join(folder, "untrained-sample.txt"), "utf8")
  print(`\nHeld-out loss, nats per byte\n${lossPlot(job.losses)}`)
  print(`\nUntrained, the model writes\n${quote(untrained)}\n\nTrained, it writes\n${quote(sample)}`)
  print("")
  let proofs = 0
  for (const { name, home } of network.agents) {
    const verified = await zgAgent<Verified>(home, ["proof", "verify", "--job", job.id], signal)
    const earned = verified.proofs.reduce((sum, { paid }) => sum + paid, 0)
    proofs += verified.proofs.length
    print(
      `${name}  earned ${formatCredits(earned)} credits with ${verified.proofs.length} proofs, each one verified`,
    )
  }
  print(`buyer    spent  ${formatCredits(job.spent)} credits; the marketplace kept the difference as its fee`)
  print(
    `\n${proofs} proofs verified. The trained weights: ${relative(".", join(folder, "parameters.safetensors"))}`,
  )
}

function quote(text: string): string {
  const printable = text.replace(/[^\P{C}\n]/gu, "·").trimEnd()
  return printable
    .split("\n")
    .slice(0, 8)
    .map(line => `  │ ${line.slice(0, 96)}`)
    .join("\n")
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
