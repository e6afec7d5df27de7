import { digestOf } from "../../../src/protocol/digest.ts"
import { proofStatement } from "../../../src/protocol/proof.ts"
import { bundleDigest, signStatement } from "../../../src/protocol/statement.ts"
import {
  type Abandoned,
  type Committed,
  type Leased,
  leased,
  type Prepared,
  type Proved,
  type Ran,
  type Running,
  type Settled,
} from "../../../src/runtime/shard/state.ts"
import { ASSIGNMENT, nodeSigner, RUN } from "../proof/sample.ts"

/** One shard in every state of its road. */
const BERTH: Leased["berth"] = { slot: "cpu", placement: { device: "cpu" }, gpus: [] }
const held = { assignment: ASSIGNMENT, berth: BERTH }
const bundle = await signStatement(proofStatement(ASSIGNMENT, RUN), nodeSigner())
const { outputs, log, startedOn, finishedOn, usage } = RUN

export const LEASED: Leased = leased(ASSIGNMENT, BERTH)
export const PREPARED: Prepared = { step: "prepared", ...held, cuts: 0 }
export const RUNNING: Running = { step: "running", ...held, cuts: 0, containerId: "c".repeat(64) }
export const RAN: Ran = { step: "ran", ...held, outputs, log, startedOn, finishedOn, usage }
export const PROVED: Proved = { step: "proved", ...held, outputs, proof: bundleDigest(bundle), bundle }
export const COMMITTED: Committed = {
  ...PROVED,
  step: "committed",
  states: [{ name: "0.safetensors", digest: digestOf("state"), size: 5 }],
}
export const SETTLED: Settled = {
  step: "settled",
  ...held,
  proof: digestOf("proof"),
  paid: 250_000 as Settled["paid"],
  settledOn: finishedOn,
}
export const ABANDONED: Abandoned = {
  step: "abandoned",
  ...held,
  from: "running",
  code: "shard-failed",
  message: "The program ended with exit code 1.",
}
