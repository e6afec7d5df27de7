import { isFault } from "../../../protocol/fault.ts"
import type { GpuPlacement } from "../../container/sandbox.ts"
import type { GpuNodes } from "../../probe/gpu-nodes.ts"
import { type Finding, failed, ok, skipped, together } from "../check.ts"
import type { Inspection } from "../inspection.ts"
import { engineSaid } from "../said.ts"

export const gpuInContainer: Inspection = {
  id: "gpu-in-container",
  title: "GPU in a container",
  limitMs: 58_000,
  async look(site, signal) {
    const { gpus } = await site.detection()
    if (!gpus.some(({ offerable }) => offerable)) return skipped("no GPU here can run shards")
    const sandbox = await site.sandbox().catch(() => null)
    if (sandbox === null) return skipped("needs a container that starts")
    const cards = await site.cards()
    if (cards.length === 0) return skipped("no GPU here has a name by which a container can be given it")
    const findings: Finding[] = []
    // One after another: the driver of a card that wakes holds up the others.
    for (const { name, placement, trouble } of cards) {
      signal.throwIfAborted()
      if (placement === null) findings.push(failed(`${name}: ${trouble}`, { remedy: "See `zg-agent gpus`." }))
      else findings.push(await tryCard(name, placement, () => site.gpuNodes(placement)))
    }
    return together(findings)
  },
}

async function tryCard(name: string, gpu: GpuPlacement, look: () => Promise<GpuNodes>): Promise<Finding> {
  try {
    return judgeNodes(name, gpu, await look())
  } catch (error) {
    if (!isFault(error)) throw error
    const said = engineSaid(error)
    return failed(
      `${name}: no container can have it. ${said || error.message}`,
      remedyFor(gpu, said, error.hint),
    )
  }
}

export function judgeNodes(
  name: string,
  gpu: GpuPlacement,
  { ok: isFine, missing, denied, foreign }: GpuNodes,
): Finding {
  const through = gpu.device === "cuda" ? (gpu.through === "cdi" ? " through CDI" : " through --gpus") : ""
  if (isFine) return ok(`${name}: its own devices open inside${through}, and no other card's are there`)
  const seen = [
    missing.length === 0 ? [] : [`${missing.join(", ")} missing`],
    denied.length === 0 ? [] : [`${denied.join(", ")} there, but do not open`],
    foreign.length === 0 ? [] : [`${foreign.join(", ")} of other cards visible`],
  ].flat()
  const fact = `${name}${through}: inside a container ${seen.join("; ") || "it is not as it should be"}`
  if (foreign.length > 0 && missing.length + denied.length === 0) {
    return failed(fact, {
      remedy: "A shard would see cards that it did not get: use CDI for single cards.",
      ...CDI,
    })
  }
  return failed(fact, remedyFor(gpu, "", "See the checks of the toolkit and of CDI."))
}

const CDI = { command: "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml" }

/** By what engines and the toolkit say; they have kept these words for years. */
export function remedyFor(
  gpu: GpuPlacement,
  said: string,
  otherwise: string,
): { remedy: string; command?: string } {
  if (gpu.device === "rocm") {
    return {
      remedy: "Check that the compute driver is loaded and the card's render node is there.",
      command: "ls -l /dev/kfd /dev/dri/",
    }
  }
  if (/could not select device driver|unknown or invalid runtime|unknown runtime/i.test(said)) {
    return {
      remedy: "The engine does not know NVIDIA's toolkit: install it, make it known, and restart the engine.",
      command: "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker",
    }
  }
  if (/unresolvable CDI devices|CDI device injection failed/i.test(said)) {
    return { remedy: "The CDI specification is not of these cards: make it anew.", ...CDI }
  }
  if (/nvml|driver|libnvidia|initialization error/i.test(said)) {
    return {
      remedy:
        "The toolkit does not get through to the driver, as after an update of the driver without a restart.",
      command: "nvidia-smi || sudo reboot",
    }
  }
  return { remedy: otherwise }
}
