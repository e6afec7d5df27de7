import { generateKeyPairSync, sign } from "node:crypto"
import { digestOf } from "../../../src/protocol/digest.ts"
import { keyIdOf, type PublicKey, type Signer } from "../../../src/protocol/keys.ts"
import type { Assignment, RunRecord } from "../../../src/protocol/proof.ts"
import { ShardSpec } from "../../../src/protocol/shard-spec.ts"

/** A signer over node's own Ed25519, beside which the agent's is checked. */
export function nodeSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519")
  const key = publicKey.export({ format: "der", type: "spki" }).toString("base64") as PublicKey
  return { publicKey: key, keyId: keyIdOf(key), sign: async message => sign(null, message, privateKey) }
}

export const ASSIGNMENT: Assignment = {
  job: "job-0123456789ab" as Assignment["job"],
  shard: { index: 4, label: "round-2/train-0" },
  lease: {
    id: "0123456789abcdef0123456789abcdef" as Assignment["lease"]["id"],
    epoch: 2,
    nonce: "fedcba9876543210fedcba9876543210" as Assignment["lease"]["nonce"],
    notAfter: "2026-11-22T12:00:00.000Z",
  },
  spec: ShardSpec.parse({
    image: { name: "trainer", digest: digestOf("image") },
    command: { argv: ["python3", "-m", "trainer"], env: { SEED: "7" } },
    inputs: [{ name: "text", digest: digestOf("text"), size: 4 }],
    outputs: ["model", "losses"],
    resources: {},
    limits: {},
  }),
}

export const RUN: RunRecord = {
  outputs: [
    { name: "model", digest: digestOf("model"), size: 5 },
    { name: "losses", digest: digestOf("losses"), size: 6 },
  ],
  log: digestOf("log"),
  exit: 0,
  startedOn: "2026-11-22T11:00:00.000Z",
  finishedOn: "2026-11-22T11:00:05.000Z",
  isolation: "runc",
  versions: { "zg-agent": "0.1.0" },
  sandbox: {
    engine: "docker",
    runtime: "runc",
    network: "none",
    seccomp: "default",
    profile: "strict",
    disks: "mounted",
    flagsDigest: digestOf("flags"),
  },
  gpus: [],
  usage: { gpuSeconds: 0, cpuSeconds: 1.5, energyJoules: null, peakVramBytes: null },
  previous: null,
}
