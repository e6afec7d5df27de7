import { isUtf8 } from "node:buffer"
import { readFile } from "node:fs/promises"
import type { Digest } from "../../protocol/digest.ts"
import { Fault, type FaultCode } from "../../protocol/fault.ts"
import { proofStatement, type RunRecord } from "../../protocol/proof.ts"
import { RUN_LOG_FILE, RUN_LOG_LIMIT_BYTES, runLogRoot } from "../../protocol/run-log.ts"
import { bundleDigest, signStatement } from "../../protocol/statement.ts"
import { flagsDigest } from "../container/sandbox.ts"
import { callFilter } from "../container/seccomp.ts"
import type { Ports } from "./ports.ts"
import { placementOf, profileOf } from "./run.ts"
import type { Proved, Ran } from "./state.ts"

type Needs = Pick<
  Ports,
  | "engine"
  | "registry"
  | "shardsRoot"
  | "store"
  | "home"
  | "graceMs"
  | "signer"
  | "archive"
  | "version"
  | "disks"
>

/**
 * ran → proved: one signed statement, in the archive. A lease that has a proof already keeps it.
 * @throws Fault `shard-output-missing`, `shard-output-too-large`, `shard-output-unsafe` for the log of its segments.
 */
export async function prove(shard: Ran, ports: Needs): Promise<Proved> {
  const { assignment, berth, outputs, states } = shard
  const runLog = await runLogOf(shard, ports)
  const { bundle } = await ports.archive.chain(assignment, previous =>
    signStatement(proofStatement(assignment, { ...runRecord(shard, ports, previous), runLog }), ports.signer),
  )
  const proof = bundleDigest(bundle)
  return { step: "proved", assignment, berth, outputs, ...(states && { states }), proof, bundle }
}

/** The root over the lines of its run log, where the spec has its segments kept. */
async function runLogOf({ assignment, outputs }: Ran, { store }: Needs): Promise<Digest | undefined> {
  if (assignment.spec.segments !== "kept") return undefined
  const log = outputs.find(({ name }) => name === RUN_LOG_FILE)
  if (!log) throw unusable("shard-output-missing", "it is none of the shard's outputs")
  if (log.size > RUN_LOG_LIMIT_BYTES)
    throw unusable("shard-output-too-large", `its ${log.size} bytes are over ${RUN_LOG_LIMIT_BYTES}`)
  const bytes = await readFile(store.path(log.digest)).catch(cause => {
    throw unusable("shard-output-missing", "it cannot be read from the store", cause)
  })
  if (!isUtf8(bytes)) throw unusable("shard-output-unsafe", "it is no text")
  return runLogRoot(bytes.toString())
}

function unusable(code: FaultCode, why: string, cause?: unknown): Fault {
  return new Fault(code, `${RUN_LOG_FILE} cannot be proved: ${why}.`, {
    hint: "The shard's program has to write one line of JSON for each segment; see docs/audit.md.",
    cause,
  })
}

function runRecord(shard: Ran, ports: Needs, previous: Digest | null): RunRecord {
  const { name, version, runtime, isolation } = ports.engine.facts
  const { outputs, log, startedOn, finishedOn, usage, berth } = shard
  return {
    outputs,
    log,
    exit: 0,
    startedOn,
    finishedOn,
    isolation,
    versions: { "zg-agent": ports.version, [name]: version, node: process.versions.node },
    sandbox: {
      engine: name,
      runtime,
      network: "none",
      seccomp: callFilter(ports.engine.facts),
      profile: profileOf(shard),
      disks: ports.disks.kind,
      flagsDigest: flagsDigest(placementOf(shard, ports)),
    },
    gpus: berth.gpus,
    usage,
    previous,
  }
}
