import { lstat } from "node:fs/promises"
import { join } from "node:path"
import type { NamedBlob } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import { collectOutputs } from "../container/outputs.ts"
import { plainFiles } from "./plain-files.ts"
import { foldersOf, type Ports } from "./ports.ts"
import type { OpenState } from "./state.ts"

/** In the shard's checkpoint folder; see images/trainer/trainer/segments.py. */
const FOLDER = "segments"
/** One before the first segment, and one after each. */
const STATES_LIMIT = 1025
const MIB = 2 ** 20

/**
 * Takes the states between a run's segments into the store, where its spec has them kept. Only for a shard whose container has ended. A
 * program that left none is as good as any other until its audits ask for them.
 * @throws Fault `shard-too-large` for too many of them, `shard-output-unsafe`, `shard-output-too-large`.
 */
export async function collectStates(
  shard: OpenState,
  ports: Pick<Ports, "store" | "shardsRoot">,
): Promise<{ states?: NamedBlob[] }> {
  const { segments, limits } = shard.assignment.spec
  if (segments !== "kept") return {}
  const folder = join(foldersOf(shard, ports).checkpoint, FOLDER)
  // A link would lead out of the shard.
  if (!(await lstat(folder).catch(() => null))?.isDirectory()) return {}
  const names = (await plainFiles(folder, STATES_LIMIT)).map(({ name }) => name)
  if (names.length > STATES_LIMIT) throw tooMany()
  return { states: await collectOutputs(folder, names, limits.checkpointMiB * MIB, ports.store) }
}

function tooMany(): Fault {
  return new Fault(
    "shard-too-large",
    `The shard left over ${STATES_LIMIT} files in /shard/checkpoint/${FOLDER}.`,
    {
      hint: "Keep one state before the first segment and one after each, and nothing else there.",
      facts: { limit: STATES_LIMIT },
    },
  )
}
