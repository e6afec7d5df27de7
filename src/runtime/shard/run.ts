import { isFault } from "../../protocol/fault.ts"
import type { ProfileName } from "../container/policy.ts"
import { imageReference } from "../container/reference.ts"
import { type Placement, sandboxArgs } from "../container/sandbox.ts"
import { ownContainer } from "./containers.ts"
import { cutsOf } from "./cuts.ts"
import { emptyOutputs, openFolders } from "./folders.ts"
import { patiently } from "./patience.ts"
import { foldersOf, type Ports, shardLabels } from "./ports.ts"
import { provide } from "./prepare.ts"
import type { OpenState, Prepared, Running } from "./state.ts"

type Places = Pick<Ports, "engine" | "registry" | "shardsRoot" | "store" | "home" | "graceMs">
type Needs = Places & Pick<Ports, "transfer" | "disks" | "rules">

/**
 * prepared → running: a container, found by its labels or made, and started. Twice is harmless: starting a running one changes nothing.
 * What was taken off this machine since the shard was prepared (its image, an input) is fetched again, once.
 * @throws Fault `container-not-created`, `lease-stale`, `engine-*`, or what {@link provide} throws.
 */
export async function run(shard: Prepared, ports: Needs, signal: AbortSignal): Promise<Running> {
  const { assignment, berth } = shard
  const begun = () => patiently(() => begin(shard, ports, signal), ports.engine, signal)
  const containerId = await begun().catch(async error => {
    if (!isFault(error, "container-not-created")) throw error
    await provide(shard, ports, signal)
    return begun()
  })
  return { step: "running", assignment, berth, ...cutsOf(shard), containerId }
}

async function begin(shard: Prepared, ports: Needs, signal: AbortSignal): Promise<string> {
  const { engine } = ports
  const found = await ownContainer(shard, ports, signal)
  const state = found && (await engine.state(found, signal))
  if (found && state && state.status !== "created") return found
  await openFolders(shard, ports, signal)
  const id = found && state ? found : await create(shard, ports, signal)
  await engine.start(id, signal)
  return id
}

async function create(shard: Prepared, ports: Needs, signal: AbortSignal): Promise<string> {
  await emptyOutputs(shard, ports, signal)
  return ports.engine.create(sandboxArgs(placementOf(shard, ports)), signal)
}

/** The walls with which the shard began: its container may be older than the owner's newest choice. */
export function profileOf({ berth }: OpenState): ProfileName {
  return berth.profile ?? "strict"
}

/** How this shard is walled off on this machine. */
export function placementOf(shard: OpenState, ports: Places): Placement {
  const { assignment, berth } = shard
  const runtime = ports.engine.facts.runtimeFlag
  return {
    spec: assignment.spec,
    image: imageReference(assignment.spec.image, new URL(ports.registry.url).host),
    labels: shardLabels(shard, ports.home),
    folders: foldersOf(shard, ports),
    profile: profileOf(shard),
    gpu: berth.placement,
    graceMs: ports.graceMs,
    ...(runtime === null ? {} : { runtime }),
  }
}
